"""Least privilege, proven: what each role allows is what its function was seen to do, nothing more and nothing less."""
