"""Puts the parts together: the only room that knows every concrete class.

`opening` opens what lives as long as the process, `walks` makes what a configuration
decides, `door` stands the server in front. Resources open in order and close in
reverse, whatever happens in between.
"""

from clearway.compose.door import Running
from clearway.compose.opening import gateway

__all__ = ["Running", "gateway"]
