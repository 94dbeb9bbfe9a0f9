/* The optimal vertices of several folds of a table, on the rows near a point; `near_vertices` in reference_simplex.py is
   the specification.

   A fold has weights of its own. Rows that are not near stay on their side of the point, and are known by a sum. The
   near rows nearest to a prediction are a small problem (vertex.h), in which a penalised coefficient is one more row.
   Its vertex is proved where its duals balance strictly inside their intervals, and all other near rows are on the side
   on which they were held.
   Needs and owns: as vertex.h. Costs are numbers of multiplications. */
#ifndef LADREG_NEAR_ROWS_H
#define LADREG_NEAR_ROWS_H
#include "vertex.h"

/* Rows whose residuals are computed together: they stay in the cache. */
#define TILE SPEED(512)

typedef struct {
    ptrdiff_t m, q, folds;
    const double *A, *y, *residual; /* the near rows, their targets, and their residuals at the point */
    const double *weight;           /* of m rows in each fold */
    const double *point, *strength, *hessian;
    double lower, upper;
    double tolerance;               /* of a sum, and of a dual inside its interval, relative to their sizes */
    double rounding;                /* of the sums over all rows, and hence of duals */
} Near;

/* Work space, and the small problem of one fold. */
typedef struct {
    double *columns;      /* the near rows, transposed: m q numbers */
    double *moved;        /* residuals of the near rows at another point: m numbers */
    double *step, *sum;   /* q numbers each */
    unsigned char *side;  /* of m rows: HELD above (1) or below (0), or not held (2) */
    ptrdiff_t *penalised; /* the features of the last rows, q */
    Crossings order;      /* m entries each */
    double *A, *y, *weight, *dual; /* of the small problem */
    ptrdiff_t *basis;
    Factor part;          /* of the Hessian's rows and columns in use */
    Room room;
} Space;

CLONES
static void transpose(const Near *p, double *restrict columns)
{
    for (ptrdiff_t begin = 0; begin < p->m; begin += TILE) {
        const ptrdiff_t end = begin + TILE < p->m ? begin + TILE : p->m;
        for (ptrdiff_t j = 0; j < p->q; j++)
            for (ptrdiff_t i = begin; i < end; i++)
                columns[j * p->m + i] = p->A[i * p->q + j];
    }
}

/* The factor of the Hessian; 0 where that is singular. Costs q^3 / 6. */
INLINE int factorised(const Near *p, Factor *f)
{
    for (f->size = 0; f->size < p->q;) {
        memcpy(row(f, f->size), p->hessian + f->size * p->q, (size_t)p->q * sizeof(double));
        if (append_row(f, 0, p->hessian[f->size * p->q + f->size]) != 1)
            return 0;
    }
    return 1;
}

/* Residuals of the near rows at another point, to `moved`. Costs m q. */
CLONES
static void move_to(const Near *p, const double *restrict columns, const double *restrict point, double *restrict moved)
{
    for (ptrdiff_t begin = 0; begin < p->m; begin += TILE) {
        const ptrdiff_t size = begin + TILE < p->m ? TILE : p->m - begin;
        memcpy(moved + begin, p->residual + begin, (size_t)size * sizeof(double));
        for (ptrdiff_t j = 0; j < p->q; j++)
            axpy(size, p->point[j] - point[j], columns + j * p->m + begin, moved + begin);
    }
}

/* X'dual of all rows, those near on their sides by `moved`, to `sum`; `linear` has them on their sides at the point.
   Costs m, and q for each row on another side. */
INLINE void add_turned(const Near *p, ptrdiff_t fold, const double *linear, const double *moved, double *sum)
{
    memcpy(sum, linear, (size_t)p->q * sizeof(double));
    for (ptrdiff_t i = 0; i < p->m; i++)
        if ((moved[i] > 0.0) != (p->residual[i] > 0.0)) {
            const double change = p->weight[i * p->folds + fold] * (p->upper - p->lower);
            axpy(p->q, moved[i] > 0.0 ? change : -change, p->A + i * p->q, sum);
        }
}

/* The sign of a coefficient that is at zero, or of one that is not; 0 where it stays at zero. */
INLINE double side_of(double coefficient, double slope, double strength)
{
    if (coefficient != 0.0)
        return coefficient > 0.0 ? 1.0 : -1.0;
    return fabs(slope) > strength ? (slope > 0.0 ? 1.0 : -1.0) : 0.0;
}

/* A Newton step from `point`, in place; `sum` is minus the gradient of the loss. Coefficients that the step draws from
   zero take part in a second one, and none changes its sign. Costs q^3 / 3. */
INLINE void newton_step(const Near *p, Space *s, const double *sum, double *point)
{
    const ptrdiff_t q = p->q;
    Factor *f = &s->part;
    double *slope = s->room.gradient, *right = s->room.step;
    ptrdiff_t *used = s->basis;
    memset(slope, 0, (size_t)q * sizeof(double));
    for (int again = 0; again < 2; again++) {
        ptrdiff_t before = f->size = 0;
        memset(s->step, 0, (size_t)q * sizeof(double));
        for (ptrdiff_t j = 0; j < q; j++) {
            const double sign = side_of(point[j], again ? slope[j] : 0.0, p->strength[j]);
            if (sign == 0.0 && p->strength[j] > 0.0)
                continue;
            for (ptrdiff_t k = 0; k < f->size; k++)
                row(f, f->size)[k] = p->hessian[j * q + used[k]];
            if (append_row(f, 0, p->hessian[j * q + j]) != 1)
                continue;
            right[before] = sum[j] - sign * p->strength[j];
            used[before++] = j;
        }
        forward_solve(f, 0, right);
        backward_solve(f, right);
        memcpy(slope, sum, (size_t)q * sizeof(double));
        for (ptrdiff_t k = 0; k < f->size; k++) {
            s->step[used[k]] = right[k];
            axpy(q, -right[k], p->hessian + used[k] * q, slope);
        }
    }
    for (ptrdiff_t j = 0; j < q; j++) {
        const double before = point[j];
        point[j] += s->step[j];
        if (p->strength[j] > 0.0 && before * point[j] < 0.0)
            point[j] = 0.0;
    }
}

/* The small problem: the `size` rows of positive weight nearest to the fit, by `moved`, and the penalised coefficients.
   `sum` becomes its linear term. Returns how many rows were chosen. Costs O(m) and size q. */
INLINE ptrdiff_t small_problem(const Near *p, Space *s, ptrdiff_t fold, ptrdiff_t size, double *sum, Rows *small)
{
    const Crossings *c = &s->order;
    const double span = p->upper - p->lower;
    ptrdiff_t count = 0, rows;
    for (ptrdiff_t i = 0; i < p->m; i++) {
        c->when[count] = fabs(s->moved[i]);
        c->rise[count] = 1.0;
        c->row[count] = i;
        s->side[i] = p->weight[i * p->folds + fold] > 0.0 ? s->moved[i] > 0.0 : 2;
        count += s->side[i] < 2;
    }
    if (size < count)
        first_rising(c, count, -(double)size);
    rows = size = size < count ? size : count;
    for (ptrdiff_t k = 0; k < size; k++) {
        const ptrdiff_t i = c->row[k];
        memcpy(s->A + k * p->q, p->A + i * p->q, (size_t)p->q * sizeof(double));
        s->y[k] = p->y[i];
        s->weight[k] = p->weight[i * p->folds + fold];
        axpy(p->q, -s->weight[k] * (s->side[i] ? p->upper : p->lower), p->A + i * p->q, sum);
        s->side[i] = 2;
    }
    for (ptrdiff_t j = 0; j < p->q; j++)
        if (p->strength[j] > 0.0) {
            double *x = s->A + rows * p->q;
            memset(x, 0, (size_t)p->q * sizeof(double));
            x[j] = 1.0;
            s->y[rows] = 0.0;
            s->weight[rows] = 2.0 * p->strength[j] / span;
            sum[j] -= p->strength[j] * ((p->upper + p->lower) / span); /* the ends are -strength and strength */
            s->penalised[rows++ - size] = j;
        }
    *small = (Rows){rows, p->q, s->A, s->y, s->weight, sum, p->lower, p->upper};
    return size;
}

/* Whether the duals balance, and those of the basic rows are strictly inside their intervals. Costs 2 q rows. */
CLONES
static int is_only_optimum(const Near *p, const Rows *small, const double *restrict dual, const ptrdiff_t *basis,
                           double *restrict left, double *restrict sizes)
{
    int good = 1;
    for (ptrdiff_t j = 0; j < p->q; j++) {
        left[j] = small->linear[j];
        sizes[j] = fabs(small->linear[j]);
    }
    for (ptrdiff_t i = 0; i < small->n; i++)
        for (ptrdiff_t j = 0; j < p->q; j++) {
            const double term = dual[i] * small->A[i * p->q + j];
            left[j] += term;
            sizes[j] += fabs(term);
        }
    for (ptrdiff_t j = 0; j < p->q; j++) {
        const double weight = small->weight[basis[j]], inside = dual[basis[j]];
        good &= fabs(left[j]) <= p->tolerance * sizes[j];
        good &= fmin(inside - p->lower * weight, p->upper * weight - inside) > p->tolerance * weight + p->rounding;
    }
    return good;
}

/* Solve one fold from `point`, which is updated. `rows` near rows take part, then four times as many where some were
   held on the wrong side. Returns the number of exchanges, or -1 where the vertex is not proved to be the only optimum
   as long as all rows that are not near keep their side. Costs 3 m q and what a vertex costs. */
INLINE ptrdiff_t solve_fold(const Near *p, Space *s, const Limits *limits, ptrdiff_t fold, const double *linear,
                      ptrdiff_t rows, double *point)
{
    int wrong = 1, found = 0;
    ptrdiff_t made = 0;
    Rows small;
    move_to(p, s->columns, point, s->moved);
    add_turned(p, fold, linear, s->moved, s->sum);
    newton_step(p, s, s->sum, point);
    for (int attempt = 0; attempt < 2 && wrong; attempt++, rows *= 4) {
        move_to(p, s->columns, point, s->moved);
        add_turned(p, fold, linear, s->moved, s->sum);
        const ptrdiff_t size = small_problem(p, s, fold, rows, s->sum, &small);
        const ptrdiff_t count = small.n < p->q ? -1
            : solve_vertex(&small, &s->room, limits, 1, point, s->basis, s->dual);
        found = count >= 0;
        if (!found)
            continue;
        made += count;
        for (ptrdiff_t k = 0; k < p->q; k++)
            if (s->basis[k] >= size)
                point[s->penalised[s->basis[k] - size]] = 0.0;
        move_to(p, s->columns, point, s->moved);
        wrong = 0;
        for (ptrdiff_t i = 0; i < p->m; i++)
            wrong |= s->side[i] < 2 && s->side[i] != (s->moved[i] > 0.0);
    }
    return found && !wrong && is_only_optimum(p, &small, s->dual, s->basis, s->step, s->room.step) ? made : -1;
}
#endif
