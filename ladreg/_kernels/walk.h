/* One walk over the rows of a table of type T, included once for each type; NAME(x) makes its names.

   Sums are taken by strips: equal terms, of which tables have many, would round the same way a million times.
   Rows are worth one read of memory and no more: whatever is wanted of a row is computed while it is in the cache.
   FORWARD writes the residual y - offset - (x - shift)'coef, SIDES makes the dual from its sign, BACKWARD adds
   dual * (x - shift) to the slope, SIZES adds weight * |x - shift|. */

INLINE void NAME(by_rows)(const int flags, const T *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step, const double *shift,
                          const double *coef, const double *y, ptrdiff_t y_step, double offset, const double *weight,
                          ptrdiff_t w_step, const double *dual, double lower, double upper, double *out, double *slope,
                          double *size, double *total, double *part)
{
    for (ptrdiff_t begin = 0; begin < n; begin += STRIP) {
        const ptrdiff_t end = n - begin < STRIP ? n : begin + STRIP;
        double sum = 0.0;
        for (ptrdiff_t i = begin; i < end; i++) {
            const T *x = X + i * step;
            double d = 0.0;
            if (flags & FORWARD) {
                double product = 0.0;
                for (ptrdiff_t j = 0; j < p; j++)
                    product += (x[j] - shift[j]) * coef[j];
                out[i] = (y[i * y_step] - offset) - product;
            }
            if (flags & SIDES)
                d = weight[i * w_step] * (out[i] > 0 ? upper : lower);
            else if (flags & BACKWARD)
                d = dual[i];
            if (flags & (SIDES | BACKWARD)) {
                sum += d;
                for (ptrdiff_t j = 0; j < p; j++)
                    part[j] += d * (x[j] - shift[j]);
            }
            if (flags & SIZES) {
                const double w = weight[i * w_step];
                for (ptrdiff_t j = 0; j < p; j++)
                    size[j] += w * fabs(x[j] - shift[j]);
            }
        }
        if (flags & (SIDES | BACKWARD)) {
            *total += sum;
            for (ptrdiff_t j = 0; j < p; j++) {
                slope[j] += part[j];
                part[j] = 0.0;
            }
        }
    }
}

/* The same for columns that are contiguous: strips of rows short enough that their residuals stay in the cache. */
INLINE void NAME(by_columns)(const int flags, const T *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step, const double *shift,
                             const double *coef, const double *y, ptrdiff_t y_step, double offset,
                             const double *weight, ptrdiff_t w_step, const double *dual, double lower, double upper,
                             double *out, double *slope, double *size, double *total, double *part)
{
    (void)part;
    double d[STRIP], w[STRIP];
    for (ptrdiff_t begin = 0; begin < n; begin += STRIP) {
        const ptrdiff_t m = n - begin < STRIP ? n - begin : STRIP;
        double *r = out + begin;
        if (flags & FORWARD) {
            for (ptrdiff_t i = 0; i < m; i++)
                d[i] = 0.0;
            for (ptrdiff_t j = 0; j < p; j++) {
                const T *x = X + j * step + begin;
                const double s = shift[j], c = coef[j];
                for (ptrdiff_t i = 0; i < m; i++)
                    d[i] += (x[i] - s) * c;
            }
            for (ptrdiff_t i = 0; i < m; i++)
                r[i] = (y[(begin + i) * y_step] - offset) - d[i];
        }
        if (flags & (SIDES | SIZES))
            for (ptrdiff_t i = 0; i < m; i++)
                w[i] = weight[(begin + i) * w_step];
        if (flags & SIDES)
            for (ptrdiff_t i = 0; i < m; i++)
                d[i] = w[i] * (r[i] > 0 ? upper : lower);
        else if (flags & BACKWARD)
            for (ptrdiff_t i = 0; i < m; i++)
                d[i] = dual[begin + i];
        if (flags & (SIDES | BACKWARD)) {
            double sum = 0.0;
            for (ptrdiff_t i = 0; i < m; i++)
                sum += d[i];
            *total += sum;
        }
        for (ptrdiff_t j = 0; j < p && (flags & (SIDES | BACKWARD | SIZES)); j++) {
            const T *x = X + j * step + begin;
            const double s = shift[j];
            double sum = 0.0, mass = 0.0;
            if (flags & (SIDES | BACKWARD)) {
                for (ptrdiff_t i = 0; i < m; i++)
                    sum += d[i] * (x[i] - s);
                slope[j] += sum;
            }
            if (flags & SIZES) {
                for (ptrdiff_t i = 0; i < m; i++)
                    mass += w[i] * fabs(x[i] - s);
                size[j] += mass;
            }
        }
    }
}

#define WALK(name, flags)                                                                                              \
    CLONES static void NAME(name##_rows)(PARAMETERS) { NAME(by_rows)(flags, ARGUMENTS); }                             \
    CLONES static void NAME(name##_columns)(PARAMETERS) { NAME(by_columns)(flags, ARGUMENTS); }
#define PARAMETERS                                                                                                     \
    const T *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step, const double *shift, const double *coef, const double *y,    \
        ptrdiff_t y_step, double offset, const double *weight, ptrdiff_t w_step, const double *dual, double lower,     \
        double upper, double *out, double *slope, double *size, double *total, double *part
#define ARGUMENTS                                                                                                      \
    X, n, p, step, shift, coef, y, y_step, offset, weight, w_step, dual, lower, upper, out, slope, size, total, part

WALK(forward, FORWARD)
WALK(backward, BACKWARD)
WALK(sweep, FORWARD | SIDES)
WALK(audit, FORWARD | BACKWARD)
WALK(audit_sizes, FORWARD | BACKWARD | SIZES)
WALK(sizes, SIZES)

/* Smallest, largest and total size of each column. */
CLONES static void NAME(stats_rows)(const T *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step, double *low, double *high,
                                    double *total)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const T *x = X + i * step;
        for (ptrdiff_t j = 0; j < p; j++) {
            const double value = x[j];
            low[j] = value < low[j] ? value : low[j];
            high[j] = value > high[j] ? value : high[j];
            total[j] += fabs(value);
        }
    }
}

CLONES static void NAME(stats_columns)(const T *X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step, double *low, double *high,
                                       double *total)
{
    for (ptrdiff_t j = 0; j < p; j++) {
        const T *x = X + j * step;
        double least = low[j], most = high[j], sum = 0.0;
        for (ptrdiff_t i = 0; i < n; i++) {
            const double value = x[i];
            least = value < least ? value : least;
            most = value > most ? value : most;
            sum += fabs(value);
        }
        low[j] = least;
        high[j] = most;
        total[j] += sum;
    }
}

#undef WALK
#undef PARAMETERS
#undef ARGUMENTS
#undef T
#undef NAME
