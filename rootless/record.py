"""Records for the hot path: typing.NamedTuple's syntax without importing typing.

`class Point(Record): x: int; y: int = 0` is a tuple with named fields, to a type checker the same as
a NamedTuple. Importing typing costs 6 ms (it brings re), and each NamedTuple 0.2-0.4 ms, because
its __new__ is compiled and its annotations are; a Record costs some 10 us. Standard library's C parts only.
`TypedDict`, likewise, is typing's to a type checker and a plain dict to Python. Hot path.
"""

from __future__ import annotations

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import NamedTuple as Record
    from typing import TypedDict as TypedDict
else:
    from _collections import _tuplegetter

    class _RecordType(type):
        """Makes the fields' descriptors; the class is a plain tuple subclass afterwards."""

        def __new__(mcs, name, bases, body):
            if bases == (tuple,):
                return super().__new__(mcs, name, bases, body)
            fields = tuple(body.get("__annotations__", ()))
            defaults = {field: body.pop(field) for field in fields if field in body}
            for position, field in enumerate(fields):
                body[field] = _tuplegetter(position, None)
            body["__slots__"] = ()
            body["__match_args__"] = body["_fields"] = fields
            body["_field_defaults"] = defaults
            return super().__new__(mcs, name, bases, body)

    class Record(tuple, metaclass=_RecordType):
        __slots__ = ()
        _fields = ()
        _field_defaults = {}

        def __new__(cls, *values, **named):
            fields = cls._fields
            if named or len(values) != len(fields):
                values = cls._complete(values, named)
            return tuple.__new__(cls, values)

        @classmethod
        def _complete(cls, values, named):
            fields, defaults = cls._fields, cls._field_defaults
            if len(values) > len(fields):
                raise TypeError(f"{cls.__name__}() takes {len(fields)} fields, got {len(values)}")
            rest = []
            for field in fields[len(values) :]:
                if field in named:
                    rest.append(named.pop(field))
                elif field in defaults:
                    rest.append(defaults[field])
                else:
                    raise TypeError(f"{cls.__name__}() is missing the field {field!r}")
            if named:
                raise TypeError(f"{cls.__name__}() has no field, or two values for, {', '.join(named)}")
            return (*values, *rest)

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changes):
            found = self._asdict()
            found.update(changes)
            return type(self)(**found)

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            shown = ", ".join(f"{field}={value!r}" for field, value in self._asdict().items())
            return f"{type(self).__name__}({shown})"


    class TypedDict(dict):
        """A plain dict, whose subclasses may say `total=False` as typing's may."""

        def __init_subclass__(cls, *, total: bool = True) -> None:
            super().__init_subclass__()


__all__ = ["TYPE_CHECKING", "Record", "TypedDict"]
