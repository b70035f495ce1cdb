"""Secrets that are only there to be looked for, in every form that they could leak in."""

import base64
import hashlib
import secrets


class Canaries:
    """Distinct values, each with a name for the report."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._cores: dict[str, str] = {}

    def new(self, name: str, form: str = "{}") -> str:
        """A value of that form; `{}` is where the unique part stands. Made once for each name."""
        if name not in self._values:
            self._cores[name] = secrets.token_hex(12)
            self._values[name] = form.format(self._cores[name])
        return self._values[name]

    def key(self, name: str, secret: str) -> str:
        """A Clearway key, whose first nine characters may be shown."""
        self._cores[name] = secret[9:]
        self._values[name] = secret
        return secret

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    @property
    def names(self) -> set[str]:
        """Of all there are."""
        return set(self._values)

    def present(self, data: bytes) -> set[str]:
        """Names of those that stand in `data` as they are, or as base64."""
        return {
            name
            for name, core in self._cores.items()
            if core.encode() in data or any(part in data for part in _as_base64(core.encode()))
        }

    def leaks(self, place: str, data: bytes, *, hashes: bool = True) -> set[str]:
        """What of them can be found in `data`, as `NAME as FORM in PLACE`.

        Args:
            place: Where the data is from, for the report.
            data: What to search.
            hashes: Look for their SHA-256 too.
        """
        folded = data.lower()
        found = set()
        for name, core in self._cores.items():
            for form, needle in _forms(core):
                if needle.lower() in folded:
                    found.add(f"{name} as {form} in {place}")
            if hashes:
                digest = hashlib.sha256(self._values[name].encode()).digest()
                if any(needle in data for needle in (digest, digest.hex().encode(), base64.b64encode(digest)[:40])):
                    found.add(f"{name} as hash in {place}")
        return found


def _forms(core: str) -> list[tuple[str, bytes]]:
    raw = core.encode()
    half = len(raw) // 2
    parts = [("beginning", raw[:half]), ("end", raw[half:]), ("backwards", raw[::-1][:half])]
    for text, part in (("beginning", raw[:half]), ("end", raw[half:])):
        parts.append((f"hex of its {text}", part.hex().encode()))
        parts += [(f"base64 of its {text}", encoded) for encoded in _as_base64(part)]
    return parts


def _as_base64(raw: bytes) -> list[bytes]:
    """The part of each of the three alignments that does not depend on what stands around it."""
    return [base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
