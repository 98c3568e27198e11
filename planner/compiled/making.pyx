# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Objects of the core, put together from values that are known to be right."""

from cpython.object cimport PyObject_GenericSetAttr
from libc.math cimport isnan

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


cpdef make(model, dict values, set fields):
    """An instance of a pydantic model from values of all its fields; `fields` are their names."""
    made = new(model)
    PyObject_GenericSetAttr(made, VALUES, values)
    PyObject_GenericSetAttr(made, FIELDS, fields)
    PyObject_GenericSetAttr(made, EXTRA, None)
    PyObject_GenericSetAttr(made, PRIVATE, None)
    return made


cdef enum:
    N_AMOUNTS = 7  # of `cost.SPENT`


cdef class ForecastMaker:
    """What `CostModel.spent` and `Forecasts.at_pairs` make of arrays."""

    cdef const float[:, :, ::1] coefficients
    cdef const Py_ssize_t[::1] start, generator
    cdef object forecast, cost
    cdef set forecast_fields, cost_fields

    def __init__(self, coefficients, start, generator, forecast, set forecast_fields, cost, set cost_fields):
        """coefficients: (S, 4 B, 14). start: (A + 1,) of each arm's slots. generator: (S,). Models and their fields."""
        self.coefficients, self.start, self.generator = coefficients, start, generator
        self.forecast, self.forecast_fields = forecast, forecast_fields
        self.cost, self.cost_fields = cost, cost_fields
        assert self.coefficients.shape[2] == 2 * N_AMOUNTS

    def at_pairs(self, const float[:, :] accuracy, const float[:, :] stderr, const float[:, :, :, :] loads,
                 list prompts, list arms, list support, double z):
        """A forecast for each of `arms` on the prompt beside it, whose mean lies within `z` standard errors."""
        cdef double[2 * N_AMOUNTS] spent
        cdef double mean, error
        cdef Py_ssize_t k, prompt, arm
        cdef bint is_sure
        cdef list out = []
        for k in range(len(arms)):
            prompt, arm = prompts[k], arms[k]
            mean, error = accuracy[prompt, arm], z * stderr[prompt, arm]
            self._spend(loads[prompt], arm, spent)
            cost = self._cost(spent)
            is_sure = True
            for i in range(N_AMOUNTS):
                is_sure &= spent[i] == spent[N_AMOUNTS + i] or (isnan(spent[i]) and isnan(spent[N_AMOUNTS + i]))
            n_prompts, n_runs, extrapolated = support[arm]
            out.append(make(self.forecast, {
                "accuracy": mean,
                "accuracy_low": mean - error if mean > error else 0.0,
                "accuracy_high": mean + error if mean + error < 1 else 1.0,
                "cost": cost,
                "cost_worst": cost if is_sure else self._cost(&spent[N_AMOUNTS]),
                "n_prompts": n_prompts,
                "n_runs": n_runs,
                "extrapolated": extrapolated,
            }, self.forecast_fields))
        return out

    cdef void _spend(self, const float[:, :, :] loads, Py_ssize_t arm, double* out) noexcept:
        """Sums of float32 in double, so that what is 1 in every bin stays 1; NaN where anything is unknown."""
        cdef Py_ssize_t slot, g, part, b, k, n_bins = loads.shape[2]
        cdef double load
        cdef const float* rate
        for k in range(2 * N_AMOUNTS):
            out[k] = 0
        for slot in range(self.start[arm], self.start[arm + 1]):
            g = self.generator[slot]
            rate = &self.coefficients[slot, 0, 0]
            for part in range(loads.shape[0]):
                for b in range(n_bins):
                    load = loads[part, g, b]
                    for k in range(2 * N_AMOUNTS):
                        out[k] += load * rate[k]
                    rate += 2 * N_AMOUNTS
        for k in range(2 * N_AMOUNTS):
            out[k] = <float>out[k]

    cdef object _cost(self, const double* amounts):
        return make(self.cost, {
            "generations": known(amounts[0]),
            "prompt_tokens": known(amounts[1]),
            "completion_tokens": known(amounts[2]),
            "verifier_tokens": known(amounts[3]),
            "flops": known(amounts[4]),
            "usd": known(amounts[5]),
            "latency_seconds": known(amounts[6]),
        }, self.cost_fields)


cdef inline object known(double amount):
    return None if isnan(amount) else amount
