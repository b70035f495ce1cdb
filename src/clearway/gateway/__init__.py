"""The walk of a request; `pipeline.py` reads like it."""
