"""The same questions to green and to blue: are the answers as good, as fast, and the same?"""
