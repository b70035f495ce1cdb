"""The simulated model behind `upstreams/sim.py`: pure rules over plain values, no I/O.

The way of a request: `ask` (read it) -> `orders` (what the text wants done) and
`prompt` (what it weighs) -> `answer` (what is said) -> `render` (as JSON or events).
"""
