"""Recorded exchanges as answers, behind `upstreams/replay.py`.

`canonical` says when two requests are the same, `recording` reads a file, `index`
finds the file for a request, `reply` hands it out.
"""
