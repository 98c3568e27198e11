# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Texts to standardised features, and these to posteriors over the bins."""

from libc.math cimport exp, isnan, log, log1p, sqrt
from libc.stdint cimport int64_t

import numpy as np

cdef extern from *:
    """
    #ifndef PLANNER_SOURCE
    #define PLANNER_SOURCE ""
    #endif
    """
    const char* PLANNER_SOURCE

SOURCE = PLANNER_SOURCE.decode()

cdef float TINY = 1e-9
cdef Py_UCS4 QUESTION = u"?"  # what "latin-1" has for characters that it lacks


def floats(array):
    """As the loops read it, whatever it was kept as."""
    return np.ascontiguousarray(array, dtype=np.float32)


def doubles(array):
    """As the loops read it, whatever it was kept as."""
    return np.ascontiguousarray(array, dtype=np.float64)


cdef class TextReader:
    """What `QuickFeatures.transform`, `Domain.standardise` and `Domain.holds` make of texts.

    codes_of: codes of what stands between two blanks, by it.
    """

    cdef object codes_of
    cdef const float[:, ::1] vectors, of_code
    cdef const float[::1] idf, weights, centre, scale, judged
    cdef const int64_t[::1] pairs
    cdef const unsigned char[::1] class_of
    cdef int[::1] counts
    cdef Py_ssize_t n_classes, most_characters
    cdef float least_known_share, most_distance, longest, far

    def __init__(self, codes_of, vectors, idf, pairs, of_code, weights, class_of, n_classes, most_characters,
                 centre, scale, judged, least_known_share, most_distance, longest, far):
        self.codes_of, self.class_of, self.n_classes = codes_of, class_of, n_classes
        self.most_characters, self.pairs = most_characters, np.ascontiguousarray(pairs, dtype=np.int64)
        self.vectors, self.idf, self.of_code, self.weights = floats(vectors), floats(idf), floats(of_code), floats(weights)
        self.centre, self.scale, self.judged = floats(centre), floats(scale), floats(judged)
        self.least_known_share, self.most_distance = least_known_share, most_distance
        self.longest, self.far = longest, far
        self.counts = np.zeros(self.vectors.shape[0], dtype=np.int32)

    def read(self, list texts, named):
        """Features (P, F), which prompts are like those that were logged (P,), and lengths in characters (P,).

        named: (P, n_named) columns beside those of the text, None where there are none.
        """
        cdef Py_ssize_t n = len(texts), n_features = self.centre.shape[0], i, j
        features = np.zeros((n, n_features), dtype=np.float32)
        near = np.empty(n, dtype=np.uint8)
        n_characters = np.empty(n, dtype=np.float32)
        cdef float[:, ::1] out = features
        cdef unsigned char[::1] is_near = near
        cdef float[::1] lengths = n_characters
        cdef const float[:, ::1] columns
        cdef Py_ssize_t n_named = 0
        cdef float* row
        cdef float share
        if named is not None:
            columns = named
            n_named = columns.shape[1]
        for i in range(n):
            row = &out[i, 0]
            share = self._words(texts[i], row)
            self._signs(texts[i], row + self.vectors.shape[1] + 4)
            for j in range(n_named):
                row[n_features - n_named + j] = columns[i, j]
            lengths[i] = len(texts[i])
            is_near[i] = (
                self._standardise(row) <= self.most_distance
                and share >= self.least_known_share
                and lengths[i] <= self.longest
            )
        return features, near.view(np.bool_), n_characters

    cdef float _words(self, str text, float* x) except? -1:
        """Vector of the text's terms, then how many tokens and numbers, and their magnitudes; the share of words known.
        """
        cdef list by_chunk = []
        cdef Py_ssize_t n = 0, n_terms = 0, i = 0, n_codes = self.of_code.shape[0]
        cdef tuple codes
        for chunk in text[:self.most_characters].lower().split():
            codes = self.codes_of[chunk]
            n += len(codes)
            by_chunk.append(codes)
        if n == 0:
            return 0
        space = np.empty(3 * n, dtype=np.int64)
        cdef int64_t[::1] held = space
        cdef int64_t* code = &held[0]
        cdef int64_t* terms = code + n
        cdef int64_t c
        for codes in by_chunk:
            for c in codes:
                code[i] = c
                i += 1
        cdef double numbers = 0, total = 0, greatest = 0, known = 0, unknown = 0
        cdef const float* of_code
        for i in range(n):
            of_code = &self.of_code[code[i], 0]
            numbers += of_code[0]
            total += of_code[1]
            known += of_code[2]
            unknown += of_code[3]
            greatest = of_code[1] if of_code[1] > greatest else greatest
            if code[i] > 0:
                n_terms = self._count(code[i], terms, n_terms)
            if i + 1 < n:
                n_terms = self._count(self._bigram(code[i] * n_codes + code[i + 1]), terms, n_terms)
        self._project(terms, n_terms, x)
        x += self.vectors.shape[1]
        x[0] = log1p(<double>n)
        x[1] = log1p(numbers)
        x[2] = total / (numbers if numbers > 1 else 1.0)
        x[3] = greatest
        return known / (known + unknown if known + unknown > 1 else 1.0)

    cdef inline Py_ssize_t _count(self, int64_t term, int64_t* terms, Py_ssize_t n_terms) noexcept:
        """Counts a term, which is -1 where there is none, and gives how many differ so far."""
        if term < 0:
            return n_terms
        self.counts[term] += 1
        if self.counts[term] > 1:
            return n_terms
        terms[n_terms] = term
        return n_terms + 1

    cdef int64_t _bigram(self, int64_t pair) noexcept:
        """The term of a bigram, -1 where it has none."""
        cdef Py_ssize_t low = 0, high = self.pairs.shape[0], middle
        while low < high:
            middle = (low + high) // 2
            if self.pairs[middle] < pair:
                low = middle + 1
            else:
                high = middle
        if low < self.pairs.shape[0] and self.pairs[low] == pair:
            return low + self.of_code.shape[0]
        return -1

    cdef void _project(self, const int64_t* terms, Py_ssize_t n_terms, float* x) noexcept:
        """The terms' vectors by their weights, over the norm of the tf-idf; leaves all counts at 0."""
        cdef Py_ssize_t i, j, width = self.vectors.shape[1], most = self.weights.shape[0] - 1
        cdef double square = 0
        cdef float weight, norm
        cdef int count
        cdef const float* vector
        for i in range(n_terms):
            count = self.counts[terms[i]]
            self.counts[terms[i]] = 0
            weight = self.weights[count if count < most else most]
            square += (weight * self.idf[terms[i]]) ** 2
            vector = &self.vectors[terms[i], 0]
            for j in range(width):
                x[j] += weight * vector[j]
        norm = sqrt(square)
        norm = norm if norm > TINY else TINY
        for j in range(width):
            x[j] /= norm

    cdef void _signs(self, str text, float* x) noexcept:
        """Characters of each class, then all of them; logarithms."""
        cdef Py_ssize_t n_read = 0, j
        cdef Py_UCS4 character
        for character in text:
            if n_read == self.most_characters:
                break
            n_read += 1
            x[self.class_of[character if character < 256 else QUESTION]] += 1
        for j in range(self.n_classes):
            x[j] = log1p(<double>x[j])
        x[self.n_classes] = log1p(<double>len(text))

    cdef float _standardise(self, float* x) noexcept:
        """Puts features on the scale of the training prompts; gives their mean square over those that are judged."""
        cdef Py_ssize_t j
        cdef float z
        cdef double distance = 0
        for j in range(self.centre.shape[0]):
            z = (x[j] - self.centre[j]) / self.scale[j]
            if isnan(z):
                z = 0
            z = -self.far if z < -self.far else (self.far if z > self.far else z)
            x[j] = z
            distance += z * z * self.judged[j]
        return distance


ctypedef int (*predict_row)(void* settings, const void* row, int64_t* length, double* out) noexcept


cdef class Trees:
    """LightGBM's prediction of a single row of float32, by the addresses of its function and of its settings."""

    cdef predict_row predict_one
    cdef void* settings

    def __init__(self, size_t function, size_t settings):
        self.predict_one, self.settings = <predict_row>function, <void*>settings

    def predict(self, const float[:, ::1] features, double[::1] out):
        """Put the prediction of features (1, F) into `out` (1,); gives LightGBM's status, 0 where all went well."""
        cdef int64_t length
        return self.predict_one(self.settings, &features[0, 0], &length, &out[0])


cdef class BinReader:
    """What `mix`, `BinPosterior.predict` and `Discriminant.apply` make of features and of what the trees predict."""

    cdef const double[::1] prior, ridge, offset, mean_rates
    cdef const double[:, ::1] table, weights
    cdef double[::1] scratch
    cdef double ridge_intercept, ridge_share, least_rate, centre, scale, bound, logit_share
    cdef bint idle, informative

    def __init__(self, prior, table, centre, scale, bound, ridge, ridge_intercept, ridge_share, least_rate,
                 weights, offset, logit_share, idle, mean_rates, informative):
        self.prior, self.table, self.mean_rates = doubles(prior), doubles(table), doubles(mean_rates)
        self.centre, self.scale, self.bound = centre, scale, bound
        self.ridge, self.ridge_intercept, self.ridge_share = doubles(ridge), ridge_intercept, ridge_share
        self.weights, self.offset, self.logit_share = doubles(weights), doubles(offset), logit_share
        self.least_rate, self.idle, self.informative = least_rate, idle, informative
        self.scratch = np.empty(self.prior.shape[0])

    def read(self, const float[:, ::1] features, const double[::1] trees, known):
        """Bins (P, B), pass rates (P,), and whether the text told of them (P,)."""
        cdef Py_ssize_t n = features.shape[0], n_bins = self.prior.shape[0], i, b
        bins = np.empty((n, n_bins), dtype=np.float32)
        rates = np.empty(n, dtype=np.float32)
        told = np.empty(n, dtype=np.int8)
        cdef float[:, ::1] out = bins
        cdef float[::1] rate_of = rates
        cdef signed char[::1] told_of = told
        cdef const unsigned char[::1] is_known = known.view(np.uint8)
        cdef double* p = &self.scratch[0]
        cdef double rate
        for i in range(n):
            told_of[i] = is_known[i] and self.informative
            if told_of[i]:
                self._posterior(&features[i, 0], features.shape[1], trees[i], p)
            rate = 0
            for b in range(n_bins):
                if not told_of[i]:
                    p[b] = self.prior[b]
                rate += p[b] * self.mean_rates[b]
                out[i, b] = p[b]
            rate_of[i] = rate
        return bins, rates, told

    cdef double _logit(self, double rate) noexcept:
        rate = self.least_rate if rate < self.least_rate else rate
        rate = 1.0 - self.least_rate if rate > 1.0 - self.least_rate else rate
        return log(rate / (1.0 - rate))

    cdef void _posterior(self, const float* x, Py_ssize_t n_features, double trees, double* p) noexcept:
        cdef Py_ssize_t n_bins = self.prior.shape[0], cells = self.table.shape[0] - 1, b, f, row
        cdef double z = self._logit(trees), ridge = self.ridge_intercept, part, greatest, total = 0
        if self.ridge_share != 0:
            for f in range(n_features):
                ridge += x[f] * self.ridge[f]
            z = (1.0 - self.ridge_share) * z + self.ridge_share * self._logit(ridge)
        z = (z - self.centre) * (cells / (2.0 * self.bound * self.scale)) + cells / 2.0
        z = 0.0 if not z > 0.0 else (cells - 1e-9 if z > cells - 1e-9 else z)  # NaN would be no place
        row = <Py_ssize_t>z
        part = z - row
        for b in range(n_bins):
            p[b] = self.table[row, b] * (1.0 - part) + self.table[row + 1, b] * part
        if self.idle:
            return
        for b in range(n_bins):
            p[b] = self.logit_share * log(p[b] if p[b] > TINY else TINY) + self.offset[b]
        for f in range(n_features):
            for b in range(n_bins):
                p[b] += x[f] * self.weights[f, b]
        greatest = p[0]
        for b in range(1, n_bins):
            greatest = p[b] if p[b] > greatest else greatest
        for b in range(n_bins):
            p[b] = exp(p[b] - greatest)
            total += p[b]
        for b in range(n_bins):
            p[b] /= total
