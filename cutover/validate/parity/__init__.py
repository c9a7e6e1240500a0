"""The same questions to green and to blue: are the answers as good, as fast, and the same?"""

from cutover.validate.parity.baseline import read_baseline, refuse_without_accuracy, save_baseline
from cutover.validate.parity.cases import load_cases, picked
from cutover.validate.parity.compare import compare
from cutover.validate.parity.difference import Difference
from cutover.validate.parity.replies import compare_replies
from cutover.validate.parity.run import refuse_senseless, run_parity

__all__ = [
    "Difference",
    "compare",
    "compare_replies",
    "load_cases",
    "picked",
    "read_baseline",
    "refuse_senseless",
    "refuse_without_accuracy",
    "run_parity",
    "save_baseline",
]
