"""Our HTTP/1.1 client: one connection, one exchange at a time, bytes as they come.

`address` reads a base URL, `head` writes requests, `answer` reads answers (no I/O),
`dial` opens sockets, `connection` runs one exchange, `watch` its limits, `pool` keeps idle ones,
`client` puts them together. Why it is our own: decision 0003.
"""

from clearway.upstreams.http.address import Address
from clearway.upstreams.http.client import HttpClient

__all__ = ["Address", "HttpClient"]
