"""The tree of settings as a flat list. Pure. Used by config/load and `config show`."""

import msgspec

from clearway.config.types import Type, fields_of


def kept(kind: Type) -> Type:
    """The type of a setting that a reload leaves alone."""
    return msgspec.structs.replace(kind, needs_restart=True)


def settings_of(struct: msgspec.Struct, prefix: str = "") -> list[tuple[str, object, Type]]:
    """Every setting of a tree, dotted, with its value and type, in the order of the model."""
    found: list[tuple[str, object, Type]] = []
    for name, kind in fields_of(type(struct)).items():
        value = getattr(struct, name)
        setting = f"{prefix}{name}"
        if isinstance(value, msgspec.Struct):
            inner = settings_of(value, f"{setting}.")
            # What is in a table that stays as it was stays, too.
            found += [(place, entry, kept(type_)) for place, entry, type_ in inner] if kind.needs_restart else inner
        elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            for place, entry in enumerate(value):
                found += settings_of(entry, f"{setting}[{place}].")
        else:
            found.append((setting, value, kind))
    return found
