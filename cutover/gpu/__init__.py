"""What the GPUs of this machine have free; degrades to nothing where there is none."""
