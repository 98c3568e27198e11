# cython: language_level=3
"""Objects of the core, put together from values that are known to be right."""

from cpython.object cimport PyObject_GenericSetAttr

cdef extern from *:
    """
    #ifndef PLANNER_SOURCE
    #define PLANNER_SOURCE ""
    #endif
    """
    const char* PLANNER_SOURCE

SOURCE = PLANNER_SOURCE.decode()

cdef str VALUES = "__dict__"
cdef str FIELDS = "__pydantic_fields_set__"
cdef str EXTRA = "__pydantic_extra__"
cdef str PRIVATE = "__pydantic_private__"


cdef object new = object.__new__


def make(model, dict values, set fields):
    """An instance of a pydantic model from values of all its fields; `fields` are their names."""
    made = new(model)
    PyObject_GenericSetAttr(made, VALUES, values)
    PyObject_GenericSetAttr(made, FIELDS, fields)
    PyObject_GenericSetAttr(made, EXTRA, None)
    PyObject_GenericSetAttr(made, PRIVATE, None)
    return made
