/* Exchanges of basic rows for a small piecewise linear problem; `pivot` in reference_simplex.py is its specification.

   Minimise sum_i rho_i(residual_i) - linear'b, where rho_i has slope `lower` below zero and `upper` above it. A vertex
   has q basic rows, whose residuals are zero; any other row has its dual at `upper` where its residual is above zero,
   else at `lower`. Needs: tables with contiguous rows, indices within them, arrays that overlap no other.
   Owns: nothing; no routine allocates. Costs are numbers of multiplications. */
#ifndef LADREG_SIMPLEX_H
#define LADREG_SIMPLEX_H
#include <string.h>
#include "compiler.h"
#include "crossings.h"

/* Residual of a row that counts as positive where rounding leaves zero or less. */
#define TRACE 1e-300
/* A residual that changes by at most 1e-9 times the largest change does not move: it ends no step. */
#define STILL 1e-9

typedef struct {
    ptrdiff_t m, q;
    double *A;                  /* m rows of q numbers */
    double *residual, *lower, *upper, *width; /* the width is upper - lower */
    double *goal;               /* sum of the basic rows times their duals */
    ptrdiff_t *basis;
    double *inverse, *inside;   /* of the matrix of basic rows; duals of the basic rows */
    double *move;               /* work space: m numbers */
    Crossings crossings;
} Simplex;

/* The moves of m residuals along a direction, which is side * (row of A)'direction, to `move`. Costs m q. */
CLONES
static void moves(ptrdiff_t m, ptrdiff_t q, const double *restrict A, const double *restrict direction, double side,
                  double *restrict move)
{
    for (ptrdiff_t i = 0; i < m; i++)
        move[i] = side * dot(q, A + i * q, direction);
}

/* List the rows whose residuals cross zero; returns their number. A row's rise is its move times its width. Costs m. */
CLONES
static ptrdiff_t cross(ptrdiff_t m, const double *residual, const double *move, const double *width,
                       const Crossings *c)
{
    ptrdiff_t count = 0;
    double largest = 0.0;
    for (ptrdiff_t i = 0; i < m; i++)
        largest = fmax(largest, fabs(move[i]));
    for (ptrdiff_t i = 0; i < m; i++) {
        const double size = fabs(move[i]), when = fabs(residual[i]) / size;
        const int crosses = residual[i] > 0.0 ? move[i] < 0.0 : move[i] > 0.0;
        c->when[count] = when;
        c->row[count] = i;
        c->rise[count] = size * width[i];
        count += crosses && size > STILL * largest && when < INFINITY;
    }
    return count;
}

/* Update the inverse after `row` has replaced basic row `out`; `part` is work space of q numbers. Needs a
   pivot (row)'inverse[out] that is not zero. Costs 2 q^2. */
CLONES
static void exchange(ptrdiff_t q, const double *restrict row, ptrdiff_t out, double *restrict inverse,
                     double *restrict part)
{
    for (ptrdiff_t k = 0; k < q; k++)
        part[k] = 0.0;
    for (ptrdiff_t j = 0; j < q; j++)
        axpy(q, row[j], inverse + j * q, part);
    for (ptrdiff_t j = 0; j < q; j++) {
        const double value = inverse[j * q + out] / part[out];
        axpy(q, -value, part, inverse + j * q);
        inverse[j * q + out] = value;
    }
}

/* The duals of the basic rows, to `inside`. Costs q^2. */
INLINE void solve_duals(const Simplex *s)
{
    memset(s->inside, 0, (size_t)s->q * sizeof(double));
    for (ptrdiff_t j = 0; j < s->q; j++)
        axpy(s->q, s->goal[j], s->inverse + j * s->q, s->inside);
}

/* The place in the basis of the dual farthest beyond its interval, or -1 where none is farther than `tolerance` times
   the interval's width; on which side of it to `side`. Costs q^2. */
INLINE ptrdiff_t leaving(const Simplex *s, double tolerance, double *side)
{
    ptrdiff_t out = -1;
    double worst = tolerance;
    solve_duals(s);
    for (ptrdiff_t k = 0; k < s->q; k++) {
        const ptrdiff_t i = s->basis[k];
        const double over = (s->inside[k] - s->upper[i]) / s->width[i];
        const double under = (s->lower[i] - s->inside[k]) / s->width[i];
        if (over > worst)
            worst = over, out = k, *side = 1.0;
        if (under > worst)
            worst = under, out = k, *side = -1.0;
    }
    return out;
}

/* The residuals after a step, the first `passed` crossings on the other side, also where rounding disagrees. */
INLINE void advance(const Simplex *s, ptrdiff_t passed, double length)
{
    for (ptrdiff_t k = 0; k < passed; k++) {
        const ptrdiff_t i = s->crossings.row[k];
        const double value = s->residual[i] + length * s->move[i], change = s->width[i];
        axpy(s->q, s->move[i] > 0.0 ? -change : change, s->A + i * s->q, s->goal);
        s->residual[i] = s->residual[i] > 0.0 ? fmin(value, 0.0) : value > 0.0 ? value : TRACE;
        s->move[i] = 0.0;
    }
    for (ptrdiff_t i = 0; i < s->m; i++) {
        const double value = s->residual[i] + length * s->move[i];
        s->residual[i] = s->residual[i] > 0.0 ? (value > 0.0 ? value : TRACE) : fmin(value, 0.0);
    }
}

/* Exchange basic rows, at most `most` times, until all their duals are in their intervals. Each exchange goes as far as
   the objective falls (Barrodale and Roberts 1973, doi 10.1137/0710069). Returns the number of exchanges, or -1 if
   `most` were not enough, or no row ends a step. Costs m q + 4 q^2 an exchange. */
INLINE ptrdiff_t pivot(Simplex *s, double tolerance, ptrdiff_t most)
{
    const ptrdiff_t q = s->q;
    for (ptrdiff_t done = 0;; done++) {
        double side = 0.0;
        const ptrdiff_t out = leaving(s, tolerance, &side);
        if (out < 0)
            return done;
        if (done >= most)
            return -1;
        /* The residual of that row leaves zero, those of the other basic rows stay. */
        LADREG_ASSERT(0 <= s->basis[out] && s->basis[out] < s->m);
        const ptrdiff_t i = s->basis[out];
        const double slope = side > 0.0 ? s->upper[i] - s->inside[out] : s->inside[out] - s->lower[i];
        for (ptrdiff_t j = 0; j < q; j++)
            s->inside[j] = s->inverse[j * q + out];
        moves(s->m, q, s->A, s->inside, side, s->move);
        for (ptrdiff_t k = 0; k < q; k++)
            s->move[s->basis[k]] = 0.0;
        const ptrdiff_t count = cross(s->m, s->residual, s->move, s->width, &s->crossings);
        const ptrdiff_t passed = first_rising(&s->crossings, count, slope);
        if (passed == count)
            return -1;
        const ptrdiff_t enter = s->crossings.row[passed];
        LADREG_ASSERT(0 <= enter && enter < s->m && passed < count);
        const double length = s->crossings.when[passed];
        const double reached = s->move[enter] > 0.0 ? s->lower[enter] : s->upper[enter];
        advance(s, passed, length);
        s->residual[i] = side > 0.0 ? (length > 0.0 ? length : TRACE) : -length;
        axpy(q, reached, s->A + enter * q, s->goal);
        axpy(q, -(side > 0.0 ? s->upper[i] : s->lower[i]), s->A + i * q, s->goal);
        s->residual[enter] = 0.0;
        s->basis[out] = enter;
        exchange(q, s->A + enter * q, out, s->inverse, s->move);
    }
}
#endif
