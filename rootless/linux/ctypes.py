"""Calls into the C library: the types and calls of module ctypes that we need, without the rest of it.

`ctypes` defines some thirty types, measures them, and makes a callback: 0.8 ms before a command's first
line. All that does the work is the C module _ctypes, which is used here. The names mean what
they mean in ctypes; objects of the two can be mixed in a call, classes in a prototype cannot. Hot path.
"""

from __future__ import annotations

from rootless.record import TYPE_CHECKING

if TYPE_CHECKING:
    from ctypes import *  # noqa: F403
else:
    try:
        import _ctypes
        from _ctypes import Structure, addressof, byref, get_errno, sizeof  # noqa: F401

        _FLAGS = _ctypes.FUNCFLAG_CDECL, _ctypes.FUNCFLAG_USE_ERRNO, _ctypes.FUNCFLAG_PYTHONAPI
    except (ImportError, AttributeError):  # another implementation of Python
        from ctypes import *  # noqa: F403
    else:

        class c_char(_ctypes._SimpleCData):
            _type_ = "c"

        class c_char_p(_ctypes._SimpleCData):
            _type_ = "z"

        class c_void_p(_ctypes._SimpleCData):
            _type_ = "P"

        class c_ushort(_ctypes._SimpleCData):
            _type_ = "H"

        class c_int(_ctypes._SimpleCData):
            _type_ = "i"

        class c_uint(_ctypes._SimpleCData):
            _type_ = "I"

        class c_long(_ctypes._SimpleCData):
            _type_ = "l"

        class c_ulong(_ctypes._SimpleCData):
            _type_ = "L"

        class c_ulonglong(_ctypes._SimpleCData):
            _type_ = "Q"

        # As on every Linux.
        c_int32, c_uint32, c_uint64, c_size_t = c_int, c_uint, c_ulonglong, c_ulong

        def create_string_buffer(init, size=None):
            """A buffer of chars: of `init` bytes, or that holds the bytes `init` and a NUL."""
            if isinstance(init, int):
                return (c_char * init)()
            buffer = (c_char * (len(init) + 1 if size is None else size))()
            buffer.value = init
            return buffer

        class CDLL:
            """A library; its functions are attributes. Name None: what the interpreter is linked to."""

            _flags = _ctypes.FUNCFLAG_CDECL

            def __init__(self, name, *, use_errno=False):
                flags = self._flags | (_ctypes.FUNCFLAG_USE_ERRNO if use_errno else 0)
                body = {"_flags_": flags, "_restype_": c_int}
                self._function = type("_Function", (_ctypes.CFuncPtr,), body)
                self._handle = _ctypes.dlopen(name, 0)

            def __getattr__(self, name):
                if name[:2] == "__":
                    raise AttributeError(name)
                function = self._function((name, self))
                setattr(self, name, function)
                return function

        class PyDLL(CDLL):
            """The interpreter lock is held during its calls, and its errors are raised."""

            _flags = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI

        pythonapi = PyDLL(None)
