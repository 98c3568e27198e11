# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What every arm is expected to do on a prompt, and which is chosen."""

from libc.math cimport INFINITY, expf, isfinite, isnan, sqrtf

import numpy as np

cdef extern from *:
    """
    #ifndef PLANNER_SOURCE
    #define PLANNER_SOURCE ""
    #endif
    """
    const char* PLANNER_SOURCE

cdef extern from *:
    """
    /* Built for wider vectors too, where the compiler can choose among them when it runs; no sum changes by that. */
    #if defined(__linux__) && defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
    #define PLANNER_WIDER __attribute__((target_clones("avx2", "default")))
    #else
    #define PLANNER_WIDER
    #endif
    #if defined(_MSC_VER)
    #define PLANNER_RESTRICT __restrict
    #else
    #define PLANNER_RESTRICT __restrict__
    #endif

    PLANNER_WIDER static void product(
        const float *x, const float *table, Py_ssize_t n, Py_ssize_t n_arms, float *PLANNER_RESTRICT out
    ) {
        Py_ssize_t a, i = 0;
        for (a = 0; a < n_arms; a++) out[a] = 0;
        for (; i + 4 <= n; i += 4) {  /* four rows at once: sums are read and written a quarter as often */
            const float *row = table + i * n_arms, x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
            const float *row1 = row + n_arms, *row2 = row1 + n_arms, *row3 = row2 + n_arms;
            for (a = 0; a < n_arms; a++)
                out[a] += (x0 * row[a] + x1 * row1[a]) + (x2 * row2[a] + x3 * row3[a]);
        }
        for (; i < n; i++) {
            const float *row = table + i * n_arms, x0 = x[i];
            for (a = 0; a < n_arms; a++) out[a] += x0 * row[a];
        }
    }
    """
    void product(
        const float* x, const float* table, Py_ssize_t n, Py_ssize_t n_arms, float* out
    ) noexcept nogil

SOURCE = PLANNER_SOURCE.decode()


def floats(array):
    """As the loops read it, whatever it was kept as."""
    return np.ascontiguousarray(array, dtype=np.float32)


cdef inline float between(float x, float low, float high) noexcept:
    return low if x < low else (high if x > high else x)


cdef void prefer(const unsigned char* on_hull, const float* price, Py_ssize_t n_arms, unsigned char* allowed) noexcept:
    """Leaves, of the allowed arms whose price is known, those on the hull, if there are any."""
    cdef Py_ssize_t a
    cdef bint any_on_hull = False
    for a in range(n_arms):
        allowed[a] &= isfinite(price[a]) != 0
        any_on_hull |= allowed[a] & on_hull[a]
    if any_on_hull:
        for a in range(n_arms):
            allowed[a] &= on_hull[a]


cdef class Forecaster:
    """What `BudgetModel.forecast` and `CostModel.loads` make of a belief."""

    cdef const float[:, ::1] accuracy, variance, leverage, detail, lengths
    cdef const float[::1] spread, slope, centre, prompt_share
    cdef float[::1] shift
    cdef bint detailed
    cdef float edge, least_prompt, least, most

    def __init__(self, accuracy, variance, leverage, spread, detail, edge, lengths, slope, centre, prompt_share,
                 least_prompt, least, most):
        self.accuracy, self.variance = floats(accuracy), floats(variance)
        self.leverage, self.spread = floats(leverage), floats(spread)
        self.detailed = detail is not None
        if self.detailed:
            self.detail = floats(detail)
        self.lengths, self.slope, self.centre = floats(lengths), floats(slope), floats(centre)
        self.prompt_share, self.edge = floats(prompt_share), edge
        self.least_prompt, self.least, self.most = least_prompt, least, most
        self.shift = np.empty(self.accuracy.shape[1], dtype=np.float32)

    def forecast(self, of_bins, of_features, of_characters):
        """Accuracy (P, A) and its standard error (P, A), loads (P, 4, G, B)."""
        cdef const float[:, ::1] bins = floats(of_bins), features = floats(of_features)
        cdef const float[::1] n_characters = floats(of_characters)
        cdef Py_ssize_t n = bins.shape[0], i
        accuracy = np.zeros((n, self.accuracy.shape[1]), dtype=np.float32)
        stderr = np.zeros((n, self.accuracy.shape[1]), dtype=np.float32)
        loads = np.empty((n, 4, self.lengths.shape[1], bins.shape[1]), dtype=np.float32)
        cdef float[:, ::1] accuracy_out = accuracy, stderr_out = stderr
        cdef float[:, :, :, ::1] loads_out = loads
        for i in range(n):
            self._by_bin(&bins[i, 0], bins.shape[1], &accuracy_out[i, 0], &stderr_out[i, 0])
            if self.detailed:
                self._refine(&features[i, 0], &accuracy_out[i, 0])
            self._load(&bins[i, 0], &features[i, 0], features.shape[1], n_characters[i], loads_out[i])
        return accuracy, stderr, loads

    cdef void _by_bin(self, const float* bins, Py_ssize_t n_bins, float* mean, float* error) noexcept:
        """What the cells of an arm say under a posterior over the bins."""
        cdef Py_ssize_t n_arms = self.accuracy.shape[1], a, b, c
        cdef const float* mean_of
        cdef const float* variance_of
        cdef float p, noise, sureness = 0
        for b in range(n_bins):
            p = bins[b]
            mean_of, variance_of = &self.accuracy[b, 0], &self.variance[b, 0]
            for a in range(n_arms):
                mean[a] += p * mean_of[a]
                error[a] += p * p * variance_of[a]
            for c in range(n_bins):
                sureness += bins[c] * self.leverage[c, b] * p
        for a in range(n_arms):
            noise = sureness * self.spread[a] * (mean[a] * (1 - mean[a]))
            error[a] = sqrtf(noise if noise > error[a] else error[a])

    cdef void _refine(self, const float* features, float* mean) noexcept:
        """sigmoid(logit p + d) without logarithms: p e^d / (1 - p + p e^d)."""
        cdef Py_ssize_t n_arms = self.accuracy.shape[1], a
        cdef float* shift = &self.shift[0]
        cdef const float* weights = &self.detail[0, 0]
        cdef float p, raised
        product(features, weights + n_arms, self.detail.shape[0] - 1, n_arms, shift)
        for a in range(n_arms):
            p = between(mean[a], self.edge, 1 - self.edge)
            raised = p * expf(shift[a] + weights[a])
            mean[a] = raised / (1 - p + raised)

    cdef void _load(self, const float* bins, const float* features, Py_ssize_t n_features, float n_characters,
                    float[:, :, ::1] loads) noexcept:
        """Each factor of length times the chance of each bin."""
        cdef Py_ssize_t b, f, g
        cdef float prompt, completion
        for g in range(self.lengths.shape[1]):
            prompt = 1 + (n_characters - self.centre[g]) * self.slope[g]
            prompt = prompt if prompt > self.least_prompt else self.least_prompt
            completion = 1 + self.lengths[0, g]
            for f in range(n_features):
                completion += features[f] * self.lengths[f + 1, g]
            completion = between(completion, self.least, self.most)
            for b in range(loads.shape[2]):
                loads[0, g, b] = bins[b]
                loads[1, g, b] = prompt * bins[b]
                loads[2, g, b] = completion * bins[b]
                loads[3, g, b] = (completion + self.prompt_share[g] * (prompt - completion)) * bins[b]


cdef class Chooser:
    """What `fitting`, `Options`, `cautious`, `vertices` and `PairedNoise.within` make of forecasts."""

    cdef const float[:, :, ::1] difference, variance
    cdef float[:, ::1] space
    cdef float least_difference, nothing

    def __init__(self, difference, variance, least_difference, nothing):
        self.difference, self.variance = floats(difference), floats(variance)
        self.least_difference, self.nothing = least_difference, nothing
        self.space = np.empty((2, self.difference.shape[0]), dtype=np.float32)

    def choose(self, const float[:, :, :, ::1] loads, list ceilings, const float[:, ::1] price_table,
               const unsigned char[::1] mask, hull, const float[:, ::1] accuracy, const float[:, ::1] stderr,
               const float[::1] usual, const float[::1] share, of_bins, float low, float high):
        """Arms (P,) at the lower and the higher price of cost, -1 where none fits; worth (P, A) at the higher.

        ceilings: [(table (L, A) of worst costs, limit)]; price_table: (L, A) of expected ones. mask, hull: (A,) arms
        that may be chosen, and those to prefer where any of them can be. usual: (A,) accuracy on any prompt, towards
        which forecasts are drawn but for a share (P,).
        """
        cdef const float[:, ::1] bins = floats(of_bins)
        cdef Py_ssize_t n = loads.shape[0], n_arms = mask.shape[0], n_loads = price_table.shape[0], i, a
        worth = np.empty((n, n_arms), dtype=np.float32)
        at_high = np.empty(n, dtype=np.intp)
        at_low = at_high if low == high else np.empty(n, dtype=np.intp)
        may = np.empty((n, n_arms), dtype=np.uint8)
        cdef float[:, ::1] worth_out = worth
        cdef Py_ssize_t[::1] low_out = at_low, high_out = at_high
        cdef unsigned char[:, ::1] allowed = may
        cdef const unsigned char[::1] on_hull
        cdef const float[:, ::1] table
        cdef float* cost = &self.space[0, 0]
        cdef float* drawn = &self.space[1, 0]
        cdef float limit
        if n == 0:
            return at_low, at_high, worth
        for i in range(n):
            for a in range(n_arms):
                allowed[i, a] = mask[a]
        for worst, ceiling in ceilings:
            table, limit = worst, ceiling
            for i in range(n):
                product(&loads[i, 0, 0, 0], &table[0, 0], n_loads, n_arms, cost)
                for a in range(n_arms):
                    allowed[i, a] &= cost[a] <= limit
        if hull is not None:
            on_hull = hull
        for i in range(n):
            product(&loads[i, 0, 0, 0], &price_table[0, 0], n_loads, n_arms, cost)
            for a in range(n_arms):
                if isnan(cost[a]):
                    cost[a] = INFINITY
                drawn[a] = usual[a] + share[i] * (accuracy[i, a] - usual[a])
            if hull is not None:
                prefer(&on_hull[0], cost, n_arms, &allowed[i, 0])
            if low != high:
                low_out[i] = self._pick(
                    drawn, cost, &allowed[i, 0], &stderr[i, 0], &bins[i, 0], low, &worth_out[i, 0]
                )
            high_out[i] = self._pick(drawn, cost, &allowed[i, 0], &stderr[i, 0], &bins[i, 0], high, &worth_out[i, 0])
        return at_low, at_high, worth

    cdef Py_ssize_t _pick(self, const float* accuracy, const float* price, const unsigned char* allowed,
                          const float* stderr, const float* bins, float rate, float* worth) noexcept:
        """The arm of most worth, -1 where none is allowed; where cost has no price, a cheaper one within noise."""
        cdef Py_ssize_t n_arms = self.difference.shape[0], a, best = -1
        for a in range(n_arms):
            worth[a] = -INFINITY
            if allowed[a]:
                worth[a] = accuracy[a] - rate * price[a] if rate != 0 else accuracy[a]
                if best < 0 or worth[a] > worth[best]:
                    best = a
        if rate != 0 or best < 0:
            return best
        return self._cheapest_within_noise(best, accuracy, price, allowed, stderr, bins)

    cdef Py_ssize_t _cheapest_within_noise(self, Py_ssize_t best, const float* accuracy, const float* price,
                                           const unsigned char* allowed, const float* stderr,
                                           const float* bins) noexcept:
        cdef Py_ssize_t n_arms = self.difference.shape[0], a, b, chosen = best
        cdef float p, gap, mean, error
        for a in range(n_arms):
            gap = accuracy[best] - accuracy[a]
            if not (allowed[a] and price[a] < price[chosen] and gap < 2 * self.least_difference):
                continue
            mean, error = 0, 0
            for b in range(self.difference.shape[1]):
                p = bins[b]
                mean += p * self.difference[best, b, a]
                error += p * p * self.variance[best, b, a]
            error = sqrtf(error)
            if isnan(mean):
                mean, error = gap, sqrtf(stderr[best] * stderr[best] + stderr[a] * stderr[a])
            error = error if error > self.nothing else self.nothing
            if mean < (error if error < self.least_difference else self.least_difference):
                chosen = a
        return chosen


def leading(const float[:, ::1] worth, Py_ssize_t n):
    """For each row of worth (P, A) the `n` arms of most worth, the best first; without those of worth -inf."""
    cdef Py_ssize_t i, a, k, place
    cdef list out = [], row
    cdef Py_ssize_t[16] best
    assert 0 < n <= 16
    for i in range(worth.shape[0]):
        k = 0
        for a in range(worth.shape[1]):
            if worth[i, a] == -INFINITY or (k == n and not worth[i, a] >= worth[i, best[n - 1]]):
                continue
            place = k if k < n else n - 1
            k = k + 1 if k < n else n
            # Of equal ones the later comes first.
            while place > 0 and worth[i, a] >= worth[i, best[place - 1]]:
                best[place] = best[place - 1]
                place -= 1
            best[place] = a
        row = []
        for place in range(k):
            row.append(best[place])
        out.append(row)
    return out


def products(const float[:, :, :, ::1] loads, const float[:, ::1] table):
    """loads (P, L) @ table (L, A): by the same sums as `Chooser.choose` does it."""
    cdef Py_ssize_t n = loads.shape[0], i
    out = np.empty((n, table.shape[1]), dtype=np.float32)
    cdef float[:, ::1] rows = out
    assert loads.shape[1] * loads.shape[2] * loads.shape[3] == table.shape[0]
    for i in range(n):
        product(&loads[i, 0, 0, 0], &table[0, 0], table.shape[0], table.shape[1], &rows[i, 0])
    return out
