/* One pass over the rows of a table of type T, included once per type; NAME(x) makes the names of the routines.

   The duals and the slope are summed per strip of rows first: tables have many equal terms, and a million equal terms
   added to one long sum would all round the same way. All that is computed from a row is computed while the row is in
   the cache. FORWARD writes the residual out = y - offset - (x - shift)'coef. SIDES takes the dual weight * upper where
   out > 0 and weight * lower elsewhere, BACKWARD the given dual; both add the dual to the total and dual * (x - shift)
   to the slope. SIZES adds weight * |x - shift| to the size. A shift that is NULL is zero.

   Needs: X with n rows and p columns, of which one kind is contiguous; shift, coef, slope and size of p numbers, y,
   weight, dual and out of n, y and weight `y_step` and `w_step` apart. Arrays that `flags` do not use may be NULL. What
   is written overlaps nothing else.
   Owns: nothing. The caller allocates all arrays, `part` among them, and frees them; no routine allocates.
   Costs are numbers of multiplications, and reads of X. */

/* One row: writes *out with FORWARD, adds to *sum, part and size. `flags` is a compile-time constant; SIDES needs
   FORWARD. Costs 3 p at most. */
INLINE void NAME(row)(const int flags, const T *restrict x, ptrdiff_t p, const double *shift, const double *coef,
                      double base, double weight, double dual, const double *ends, double *out,
                      double *restrict size, double *sum, double *restrict part)
{
    double d = dual;
    if (flags & FORWARD) {
        double product = 0.0;
        for (ptrdiff_t j = 0; j < p; j++)
            product += (x[j] - V(j)) * coef[j];
        *out = base - product;
    }
    if (flags & SIDES)
        d = weight * ends[*out > 0];
    if (flags & (SIDES | BACKWARD)) {
        *sum += d;
        for (ptrdiff_t j = 0; j < p; j++)
            part[j] += d * (x[j] - V(j));
    }
    if (flags & SIZES)
        for (ptrdiff_t j = 0; j < p; j++)
            size[j] += weight * fabs(x[j] - V(j));
}

/* The same for four rows, `step` entries apart: the sums of a column are read and written once for the four. Slower
   than `row` for long rows. Costs 12 p at most. */
INLINE void NAME(four_rows)(const int flags, const T *restrict x, ptrdiff_t p, ptrdiff_t step, const double *shift,
                            const double *coef, const double *base, const double *weight, const double *dual,
                            const double *ends, double *out, double *restrict size, double *sum, double *restrict part)
{
    const T *x0 = x, *x1 = x + step, *x2 = x + 2 * step, *x3 = x + 3 * step;
    double d[4] = {0.0, 0.0, 0.0, 0.0};
    if (flags & FORWARD) {
        double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
        for (ptrdiff_t j = 0; j < p; j++) {
            const double v = V(j), c = coef[j];
            s0 += (x0[j] - v) * c;
            s1 += (x1[j] - v) * c;
            s2 += (x2[j] - v) * c;
            s3 += (x3[j] - v) * c;
        }
        out[0] = base[0] - s0;
        out[1] = base[1] - s1;
        out[2] = base[2] - s2;
        out[3] = base[3] - s3;
    }
    for (int k = 0; k < 4; k++)
        d[k] = flags & SIDES ? weight[k] * ends[out[k] > 0] : flags & BACKWARD ? dual[k] : 0.0;
    if (flags & (SIDES | BACKWARD)) {
        const double d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
        *sum += (d0 + d1) + (d2 + d3);
        for (ptrdiff_t j = 0; j < p; j++) {
            const double v = V(j);
            part[j] += (d0 * (x0[j] - v) + d1 * (x1[j] - v)) + (d2 * (x2[j] - v) + d3 * (x3[j] - v));
        }
    }
    if (flags & SIZES) {
        const double w0 = weight[0], w1 = weight[1], w2 = weight[2], w3 = weight[3];
        for (ptrdiff_t j = 0; j < p; j++) {
            const double v = V(j);
            size[j] += (w0 * fabs(x0[j] - v) + w1 * fabs(x1[j] - v)) + (w2 * fabs(x2[j] - v) + w3 * fabs(x3[j] - v));
        }
    }
}

/* The pass over n contiguous rows, `step` entries apart. `part` is p zeros before and after; out is overwritten; slope,
   size and *total are added to. Costs 3 n p at most, one read of X. */
INLINE void NAME(by_rows)(const int flags, const T *restrict X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step,
                          const double *shift, const double *coef, const double *y, ptrdiff_t y_step, double offset,
                          const double *weight, ptrdiff_t w_step, const double *dual, double lower, double upper,
                          double *out, double *restrict slope, double *restrict size, double *total,
                          double *restrict part)
{
    const double ends[2] = {lower, upper};
    const int forward = flags & FORWARD, weighs = flags & (SIDES | SIZES), backward = flags & BACKWARD;
    for (ptrdiff_t begin = 0; begin < n; begin += STRIP) {
        const ptrdiff_t end = n - begin < STRIP ? n : begin + STRIP;
        double sum = 0.0;
        ptrdiff_t i = begin;
        for (; p <= SHORT_ROW && i + 4 <= end; i += 4) {
            double base[4] = {0.0}, w[4] = {0.0};
            for (int k = 0; k < 4; k++) {
                if (forward)
                    base[k] = y[(i + k) * y_step] - offset;
                if (weighs)
                    w[k] = weight[(i + k) * w_step];
            }
            NAME(four_rows)(flags, X + i * step, p, step, shift, coef, base, w, backward ? dual + i : NULL, ends,
                            out + i, size, &sum, part);
        }
        for (; i < end; i++)
            NAME(row)(flags, X + i * step, p, shift, coef, forward ? y[i * y_step] - offset : 0.0,
                      weighs ? weight[i * w_step] : 0.0, backward ? dual[i] : 0.0, ends, out + i, size, &sum, part);
        if (flags & (SIDES | BACKWARD)) {
            *total += sum;
            for (ptrdiff_t j = 0; j < p; j++) {
                slope[j] += part[j];
                part[j] = 0.0;
            }
        }
    }
}

/* Adds what the m rows of a strip add to the slope and the size of a column, whose duals and weights are d and w. Costs
   2 m at most. */
INLINE void NAME(one_column)(const int flags, const T *restrict x, ptrdiff_t m, const double *shift, const double *d,
                             const double *w, double *restrict slope, double *restrict size)
{
    const double v = V(0);
    double sum = 0.0, mass = 0.0;
    for (ptrdiff_t i = 0; i < m; i++) {
        if (flags & (SIDES | BACKWARD))
            sum += d[i] * (x[i] - v);
        if (flags & SIZES)
            mass += w[i] * fabs(x[i] - v);
    }
    if (flags & (SIDES | BACKWARD))
        *slope += sum;
    if (flags & SIZES)
        *size += mass;
}

/* The same for four columns, `step` entries apart: memory sends four streams faster than one. Costs 8 m at most. */
INLINE void NAME(four_columns)(const int flags, const T *restrict x, ptrdiff_t m, ptrdiff_t step, const double *shift,
                               const double *d, const double *w, double *restrict slope, double *restrict size)
{
    const T *x0 = x, *x1 = x + step, *x2 = x + 2 * step, *x3 = x + 3 * step;
    const double v0 = V(0), v1 = V(1), v2 = V(2), v3 = V(3);
    double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0, a0 = 0.0, a1 = 0.0, a2 = 0.0, a3 = 0.0;
    for (ptrdiff_t i = 0; i < m; i++) {
        if (flags & (SIDES | BACKWARD)) {
            s0 += d[i] * (x0[i] - v0);
            s1 += d[i] * (x1[i] - v1);
            s2 += d[i] * (x2[i] - v2);
            s3 += d[i] * (x3[i] - v3);
        }
        if (flags & SIZES) {
            a0 += w[i] * fabs(x0[i] - v0);
            a1 += w[i] * fabs(x1[i] - v1);
            a2 += w[i] * fabs(x2[i] - v2);
            a3 += w[i] * fabs(x3[i] - v3);
        }
    }
    if (flags & (SIDES | BACKWARD)) {
        slope[0] += s0;
        slope[1] += s1;
        slope[2] += s2;
        slope[3] += s3;
    }
    if (flags & SIZES) {
        size[0] += a0;
        size[1] += a1;
        size[2] += a2;
        size[3] += a3;
    }
}

/* The same for p contiguous columns, `step` entries apart, by strips of LONG_STRIP rows; `part` is not used. Costs 3 n
   p at most: a strip of X is read once for FORWARD and once for the sums. */
INLINE void NAME(by_columns)(const int flags, const T *restrict X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step,
                             const double *shift, const double *coef, const double *y, ptrdiff_t y_step, double offset,
                             const double *weight, ptrdiff_t w_step, const double *dual, double lower, double upper,
                             double *out, double *restrict slope, double *restrict size, double *total,
                             double *restrict part)
{
    const double ends[2] = {lower, upper};
    double d[LONG_STRIP], w[LONG_STRIP];
    (void)part;
    for (ptrdiff_t begin = 0; begin < n; begin += LONG_STRIP) {
        const ptrdiff_t m = n - begin < LONG_STRIP ? n - begin : LONG_STRIP;
        double *r = out + begin;
        if (flags & FORWARD) {
            ptrdiff_t j = 0;
            for (ptrdiff_t i = 0; i < m; i++)
                d[i] = 0.0;
            for (; j + 4 <= p; j += 4) {
                const T *x0 = X + j * step + begin, *x1 = x0 + step, *x2 = x1 + step, *x3 = x2 + step;
                const double c0 = coef[j], c1 = coef[j + 1], c2 = coef[j + 2], c3 = coef[j + 3];
                if (c0 == 0.0 && c1 == 0.0 && c2 == 0.0 && c3 == 0.0)
                    continue;
                const double v0 = V(j), v1 = V(j + 1), v2 = V(j + 2), v3 = V(j + 3);
                for (ptrdiff_t i = 0; i < m; i++)
                    d[i] += ((x0[i] - v0) * c0 + (x1[i] - v1) * c1) + ((x2[i] - v2) * c2 + (x3[i] - v3) * c3);
            }
            for (; j < p; j++) {
                const T *x = X + j * step + begin;
                const double v = V(j), c = coef[j];
                for (ptrdiff_t i = 0; i < m; i++)
                    d[i] += (x[i] - v) * c;
            }
            for (ptrdiff_t i = 0; i < m; i++)
                r[i] = (y[(begin + i) * y_step] - offset) - d[i];
        }
        if (flags & (SIDES | SIZES))
            for (ptrdiff_t i = 0; i < m; i++)
                w[i] = weight[(begin + i) * w_step];
        if (flags & SIDES)
            for (ptrdiff_t i = 0; i < m; i++)
                d[i] = w[i] * ends[r[i] > 0];
        else if (flags & BACKWARD)
            for (ptrdiff_t i = 0; i < m; i++)
                d[i] = dual[begin + i];
        if (flags & (SIDES | BACKWARD)) {
            double sum = 0.0;
            for (ptrdiff_t i = 0; i < m; i++)
                sum += d[i];
            *total += sum;
        }
        ptrdiff_t j = flags & (SIDES | BACKWARD | SIZES) ? 0 : p;
        for (; j + 4 <= p; j += 4)
            NAME(four_columns)(flags, X + j * step + begin, m, step, AT(shift), d, w, AT(slope), AT(size));
        for (; j < p; j++)
            NAME(one_column)(flags, X + j * step + begin, m, AT(shift), d, w, AT(slope), AT(size));
    }
}

/* The routines name_rows and name_columns for constant `flags`, with and without a shift. */
#define WALK(name, flags)                                                                                              \
    CLONES static void NAME(name##_rows)(PARAMETERS)                                                                   \
    {                                                                                                                  \
        if (shift)                                                                                                     \
            NAME(by_rows)((flags) | SHIFTED, ARGUMENTS);                                                               \
        else                                                                                                           \
            NAME(by_rows)(flags, ARGUMENTS);                                                                           \
    }                                                                                                                  \
    CLONES static void NAME(name##_columns)(PARAMETERS)                                                                \
    {                                                                                                                  \
        if (shift)                                                                                                     \
            NAME(by_columns)((flags) | SHIFTED, ARGUMENTS);                                                            \
        else                                                                                                           \
            NAME(by_columns)(flags, ARGUMENTS);                                                                        \
    }
#define PARAMETERS                                                                                                     \
    const T *restrict X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step, const double *shift, const double *coef,            \
        const double *y, ptrdiff_t y_step, double offset, const double *weight, ptrdiff_t w_step, const double *dual,  \
        double lower, double upper, double *out, double *restrict slope, double *restrict size, double *total,         \
        double *restrict part
#define ARGUMENTS                                                                                                      \
    X, n, p, step, shift, coef, y, y_step, offset, weight, w_step, dual, lower, upper, out, slope, size, total, part

WALK(forward, FORWARD)
WALK(backward, BACKWARD)
WALK(sweep, FORWARD | SIDES)
WALK(audit, FORWARD | BACKWARD)
WALK(audit_sizes, FORWARD | BACKWARD | SIZES)
WALK(sizes, SIZES)

/* Adds weight * (x - shift)^2 to each column's total, for contiguous rows. Needs a shift. Costs 2 n p, one
   read of X. */
CLONES static void NAME(squares_rows)(const T *restrict X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step,
                                      const double *restrict shift, const double *restrict weight, ptrdiff_t w_step,
                                      double *restrict total)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const T *x = X + i * step;
        const double w = weight[i * w_step];
        KEEP_ORDER;
        for (ptrdiff_t j = 0; j < p; j++)
            total[j] += w * (x[j] - shift[j]) * (x[j] - shift[j]);
    }
}

/* The same for contiguous columns. Costs 2 n p, one read of X. */
CLONES static void NAME(squares_columns)(const T *restrict X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step,
                                         const double *restrict shift, const double *restrict weight,
                                         ptrdiff_t w_step, double *restrict total)
{
    for (ptrdiff_t j = 0; j < p; j++) {
        const T *x = X + j * step;
        const double v = shift[j];
        double sum = 0.0;
        for (ptrdiff_t i = 0; i < n; i++)
            sum += weight[i * w_step] * (x[i] - v) * (x[i] - v);
        total[j] += sum;
    }
}

/* Lowers low and raises high to the values of each column, adds |x| to size and x to sum, for contiguous rows. NaN
   shows in size and sum only. Needs p zeros in `part`, which are zeros after. Costs one read of X. */
CLONES static void NAME(stats_rows)(const T *restrict X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step,
                                    double *restrict low, double *restrict high, double *restrict size,
                                    double *restrict sum, double *restrict part)
{
    for (ptrdiff_t begin = 0; begin < n; begin += STRIP) {
        const ptrdiff_t end = n - begin < STRIP ? n : begin + STRIP;
        for (ptrdiff_t i = begin; i < end; i++) {
            const T *x = X + i * step;
            KEEP_ORDER;
            for (ptrdiff_t j = 0; j < p; j++) {
                const double value = x[j];
                low[j] = value < low[j] ? value : low[j];
                high[j] = value > high[j] ? value : high[j];
                size[j] += fabs(value);
                part[j] += value;
            }
        }
        for (ptrdiff_t j = 0; j < p; j++) {
            sum[j] += part[j];
            part[j] = 0.0;
        }
    }
}

/* Keep 16 running minima, maxima and sums per column: with one, each row would wait for the row before. */
#define LANES 16
/* The same for contiguous columns; `part` is not used. Costs one read of X. */
CLONES static void NAME(stats_columns)(const T *restrict X, ptrdiff_t n, ptrdiff_t p, ptrdiff_t step,
                                       double *restrict low, double *restrict high, double *restrict size,
                                       double *restrict sum, double *restrict part)
{
    (void)part;
    for (ptrdiff_t j = 0; j < p; j++) {
        const T *x = X + j * step;
        double least[LANES], most[LANES], sizes[LANES], sums[LANES];
        for (int k = 0; k < LANES; k++) {
            least[k] = low[j];
            most[k] = high[j];
            sizes[k] = sums[k] = 0.0;
        }
        ptrdiff_t i = 0;
        for (; i + LANES <= n; i += LANES)
            for (int k = 0; k < LANES; k++) {
                const double value = x[i + k];
                least[k] = value < least[k] ? value : least[k];
                most[k] = value > most[k] ? value : most[k];
                sizes[k] += fabs(value);
                sums[k] += value;
            }
        for (; i < n; i++) {
            const double value = x[i];
            least[0] = value < least[0] ? value : least[0];
            most[0] = value > most[0] ? value : most[0];
            sizes[0] += fabs(value);
            sums[0] += value;
        }
        for (int k = 0; k < LANES; k++) {
            low[j] = least[k] < low[j] ? least[k] : low[j];
            high[j] = most[k] > high[j] ? most[k] : high[j];
            size[j] += sizes[k];
            sum[j] += sums[k];
        }
    }
}
#undef LANES

/* Adds the products of q chosen columns, minus their shift and times the root of each row's weight, to `gram`, of which
   it writes both triangles. A shift or root that is NULL is zero or one. Z has room for 4 ceil(q / 4) columns of WIDE
   numbers, which are zero at first. Costs n q^2 / 2, one read of the columns. */
CLONES static void NAME(products)(const T *restrict X, ptrdiff_t n, ptrdiff_t row, ptrdiff_t column,
                                  const double *restrict shift, const double *restrict root, ptrdiff_t r_step,
                                  const ptrdiff_t *restrict chosen, ptrdiff_t q, double *restrict Z,
                                  double *restrict gram)
{
    for (ptrdiff_t begin = 0; begin < n; begin += TALL_STRIP) {
        const ptrdiff_t m = n - begin < TALL_STRIP ? n - begin : TALL_STRIP;
        const T *first = X + begin * row;
        if (row == 1) {
            for (ptrdiff_t a = 0; a < q; a++) {
                const T *x = first + chosen[a] * column;
                const double v = shift ? shift[chosen[a]] : 0.0;
                for (ptrdiff_t i = 0; i < m; i++)
                    Z[a * WIDE + i] = x[i] - v;
            }
        } else {
            for (ptrdiff_t i = 0; i < m; i++)
                for (ptrdiff_t a = 0; a < q; a++)
                    Z[a * WIDE + i] = first[i * row + chosen[a]] - (shift ? shift[chosen[a]] : 0.0);
        }
        for (ptrdiff_t a = 0; root && a < q; a++)
            for (ptrdiff_t i = 0; i < m; i++)
                Z[a * WIDE + i] *= root[(begin + i) * r_step];
        for (ptrdiff_t a = 0; a < q; a += 4)
            for (ptrdiff_t b = 0; b <= a; b += 4) {
                double sums[16];
                four_by_four(m, Z + a * WIDE, Z + b * WIDE, sums);
                for (int k = 0; k < 4 && a + k < q; k++)
                    for (int l = 0; l < 4 && b + l <= a + k; l++)
                        gram[(a + k) * q + b + l] += sums[4 * k + l];
            }
    }
    for (ptrdiff_t a = 0; a < q; a++)
        for (ptrdiff_t b = 0; b < a; b++)
            gram[b * q + a] = gram[a * q + b];
}

#undef WALK
#undef PARAMETERS
#undef ARGUMENTS
#undef T
#undef NAME
