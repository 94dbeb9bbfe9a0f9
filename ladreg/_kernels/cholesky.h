/* The lower triangular Cholesky factor L of a positive definite matrix A = L L' that gains and loses rows and columns.

   Needs: a `Factor` whose arrays have room for `stride` rows, and size <= stride; the first `size` rows of `values` are
   L, with a diagonal above zero. Entries above the diagonal are not read. A routine that says more needs more.
   Owns: nothing. Whoever makes a Factor allocates its arrays and frees them; no routine allocates.
   Costs are numbers of multiplications. */
#ifndef LADREG_CHOLESKY_H
#define LADREG_CHOLESKY_H
#include <string.h>
#include "compiler.h"

/* A column depends on the columns of L if its squared distance from their span, the pivot, is at most 1e-12 of its
   squared length: about 4000 eps, above the rounding of a pivot of some hundred columns. */
#define RANK 1e-12
/* Right-hand sides that share one read of L: as many as fit into registers. */
#define BATCH 4

typedef struct {
    ptrdiff_t size, stride;    /* number of rows of L; distance between rows in `values`, and largest size */
    double *values;            /* stride x stride */
    double *cosine, *sine;     /* work space for rotations, `stride` numbers each; only `delete_row` uses them */
} Factor;

/* The i-th row of L; row `size` is where the next is written. Needs 0 <= i < stride. */
INLINE double *row(const Factor *f, ptrdiff_t i)
{
    LADREG_ASSERT(0 <= i && i < f->stride);
    return f->values + i * f->stride;
}

/* Solve L z = x, z in place of x, whose first `known` entries are those of z already. Needs `size` entries in x, no row
   of L, and 0 <= known. Costs (size^2 - known^2) / 2. */
INLINE void forward_solve(const Factor *f, ptrdiff_t known, double *x)
{
    ptrdiff_t i = known;
    LADREG_ASSERT(0 <= known && f->size <= f->stride);
    for (; i + 4 <= f->size; i += 4) {
        double part[4];
        dot4(i, row(f, i), row(f, i + 1), row(f, i + 2), row(f, i + 3), x, part);
        for (ptrdiff_t k = i; k < i + 4; k++) {
            double rest = x[k] - part[k - i];
            for (ptrdiff_t m = i; m < k; m++)
                rest -= row(f, k)[m] * x[m];
            x[k] = rest / row(f, k)[k];
        }
    }
    for (; i < f->size; i++)
        x[i] = (x[i] - dot(i, row(f, i), x)) / row(f, i)[i];
}

/* Solve L' z = x, z in place of x. Needs `size` entries in x, no row of L. Costs size^2 / 2. */
INLINE void backward_solve(const Factor *f, double *x)
{
    ptrdiff_t i = f->size;
    for (; i >= 4; i -= 4) {
        for (ptrdiff_t k = i - 1; k >= i - 4; k--) {
            x[k] /= row(f, k)[k];
            for (ptrdiff_t m = i - 4; m < k; m++)
                x[m] -= x[k] * row(f, k)[m];
        }
        axpy4(i - 4, -x[i - 1], -x[i - 2], -x[i - 3], -x[i - 4],
              row(f, i - 1), row(f, i - 2), row(f, i - 3), row(f, i - 4), x);
    }
    for (i--; i >= 0; i--) {
        x[i] /= row(f, i)[i];
        axpy(i, -x[i], row(f, i), x);
    }
}

/* Solve L z = x for the n right-hand sides in the rows size .. size + n - 1, in place. Needs 0 <= n <= BATCH
   and size + n <= stride. Costs n size^2 / 2; L is read once if n is BATCH, else n times. */
INLINE void solve_rows(const Factor *f, int n)
{
    const ptrdiff_t size = f->size;
    LADREG_ASSERT(0 <= n && n <= BATCH && size + n <= f->stride);
    if (n < BATCH) {
        for (int k = 0; k < n; k++)
            forward_solve(f, 0, row(f, size + k));
        return;
    }
    double *a = row(f, size), *b = row(f, size + 1), *c = row(f, size + 2), *d = row(f, size + 3);
    for (ptrdiff_t i = 0; i < size; i++) {
        double part[BATCH];
        dot4(i, a, b, c, d, row(f, i), part);
        const double pivot = row(f, i)[i];
        a[i] = (a[i] - part[0]) / pivot;
        b[i] = (b[i] - part[1]) / pivot;
        c[i] = (c[i] - part[2]) / pivot;
        d[i] = (d[i] - part[3]) / pivot;
    }
}

/* Append the column whose products with those of L are in row `size`, the first `known` entries solved already, and
   whose squared length is `square`. Returns 1 if it was appended, 0 if it depends on the columns of L, -1 if a number
   is NaN; the row is solved in any case. Needs size < stride and known <= size. Costs (size^2 - known^2) / 2 + size. */
INLINE int append_row(Factor *f, ptrdiff_t known, double square)
{
    LADREG_ASSERT(f->size < f->stride && known <= f->size);
    double *last = row(f, f->size);
    forward_solve(f, known, last);
    const double pivot = square - dot(f->size, last, last);
    if (!(pivot > RANK * fabs(square)))
        return isnan(pivot) ? -1 : 0;
    last[f->size] = sqrt(pivot);
    LADREG_ASSERT(last[f->size] > 0.0);
    f->size++;
    return 1;
}

/* Apply the rotations begin .. end - 1 to the rows i + 1 .. i + 4, which move up by one row; `carried` is the entry of
   each row that the rotation before left over. Needs i + 4 < stride and end <= i + 1. Costs 16 (end - begin). */
INLINE void rotate_rows(const Factor *f, ptrdiff_t i, ptrdiff_t begin, ptrdiff_t end, double *restrict carried)
{
    const double *restrict cosine = f->cosine, *restrict sine = f->sine;
    double *r0 = row(f, i), *r1 = row(f, i + 1), *r2 = row(f, i + 2), *r3 = row(f, i + 3);
    const double *r4 = row(f, i + 4);
    double c0 = carried[0], c1 = carried[1], c2 = carried[2], c3 = carried[3];
    for (ptrdiff_t m = begin; m < end; m++) {
        const double c = cosine[m], n = sine[m], f0 = r1[m + 1], f1 = r2[m + 1], f2 = r3[m + 1], f3 = r4[m + 1];
        r0[m] = c * c0 + n * f0;
        r1[m] = c * c1 + n * f1;
        r2[m] = c * c2 + n * f2;
        r3[m] = c * c3 + n * f3;
        c0 = c * f0 - n * c0;
        c1 = c * f1 - n * c1;
        c2 = c * f2 - n * c2;
        c3 = c * f3 - n * c3;
    }
    carried[0] = c0;
    carried[1] = c1;
    carried[2] = c2;
    carried[3] = c3;
}

/* Move row i + 1 up to row i: apply the rotations begin .. i - 1, `carried` being the entry that the rotation before
   left over, and make rotation i, which removes the row's last entry. Needs i + 1 < stride. Costs 4 (i - begin). */
INLINE void rotate_row(const Factor *f, ptrdiff_t i, ptrdiff_t begin, double carried)
{
    double *to = row(f, i), *cosine = f->cosine, *sine = f->sine;
    const double *from = row(f, i + 1);
    for (ptrdiff_t m = begin; m < i; m++) {
        to[m] = cosine[m] * carried + sine[m] * from[m + 1];
        carried = cosine[m] * from[m + 1] - sine[m] * carried;
    }
    const double length = sqrt(carried * carried + from[i + 1] * from[i + 1]);
    cosine[i] = carried / length;
    sine[i] = from[i + 1] / length;
    to[i] = length;
}

/* Take row and column k out of A: delete row k of L, and rotate the rows behind it to a triangle, four at a time since
   each entry of a row waits for the one before. Needs 0 <= k < size. Costs 2 (size - k)^2. */
INLINE void delete_row(Factor *f, ptrdiff_t k)
{
    LADREG_ASSERT(0 <= k && k < f->size);
    f->size--;
    for (ptrdiff_t i = k; i < f->size; i += 4) {
        const ptrdiff_t n = f->size - i < 4 ? f->size - i : 4;
        double carried[4];
        for (ptrdiff_t m = 0; m < n; m++) {
            memcpy(row(f, i + m), row(f, i + m + 1), (size_t)k * sizeof(double));
            carried[m] = row(f, i + m + 1)[k];
        }
        if (n == 4)
            rotate_rows(f, i, k, i, carried);
        for (ptrdiff_t m = 0; m < n; m++)
            rotate_row(f, i + m, n == 4 ? i : k, carried[m]);
    }
}
#endif
