/* The optimal vertex of a small problem by itself, from a start; `vertices` in reference_simplex.py is its specification.

   Minimise sum_i weight_i rho(y_i - x_i'b) - linear'b, rho with slopes `lower` and `upper`. A few descent steps in the
   metric of a matrix X'WX, each with an exact line search, come near the optimum. The rows nearest to the fit, all
   others held on their side, are solved by exchanges from the vertex of the nearest; rows that were held on the wrong
   side join.
   Needs and owns: as simplex.h. Costs are numbers of multiplications. */
#ifndef LADREG_VERTEX_H
#define LADREG_VERTEX_H
#include "cholesky.h"
#include "simplex.h"

/* A row joins the first basis if what the rows before it leave of it is above 1e-3 of it: worse conditioned bases are
   left to the exchanges. The rows of the last basis are taken as they are, unless they are dependent up to rounding. */
#define INDEPENDENT 1e-3
#define REGULAR 1e-12
/* Rounds in which rows that were held on the wrong side join; all rows are chosen long before. */
#define ROUNDS 20

typedef struct {
    ptrdiff_t n, q;
    const double *A, *y, *weight, *linear;
    double lower, upper;
} Rows;

/* How far the steps go. */
typedef struct {
    ptrdiff_t steps;      /* descent steps, at most */
    ptrdiff_t per_column; /* rows per column that are chosen, at least */
    ptrdiff_t most;       /* exchanges, at most, in each round */
    double tolerance;     /* of a dual, relative to its interval */
    double zero;          /* residuals up to it have no side */
} Limits;

/* Work space, and the state between the steps. */
typedef struct {
    double *residual, *move;  /* n + q numbers each */
    Crossings crossings;      /* n + q entries each */
    Factor factor;            /* of X'WX */
    double *gradient, *step;  /* q numbers each */
    Simplex chosen;           /* the chosen rows, with room for n + q rows */
    ptrdiff_t *number;        /* which rows they are */
} Room;

/* Residuals at a point. Costs n q. */
CLONES
static void residuals(const Rows *p, const double *restrict point, double *restrict residual)
{
    for (ptrdiff_t i = 0; i < p->n; i++)
        residual[i] = p->y[i] - dot(p->q, p->A + i * p->q, point);
}

/* linear + X'dual, every row at the end of its interval on its side; minus the gradient. Costs n q. */
CLONES
static void descent(const Rows *p, const double *restrict residual, double *restrict sum)
{
    memcpy(sum, p->linear, (size_t)p->q * sizeof(double));
    for (ptrdiff_t i = 0; i < p->n; i++)
        axpy(p->q, p->weight[i] * (residual[i] > 0.0 ? p->upper : p->lower), p->A + i * p->q, sum);
}

/* X'WX, its lower triangle, to the factor's rows, and X'Wy to `sum`. Costs n q^2 / 2. */
CLONES
static void normal_equations(const Rows *p, const Factor *f, double *restrict sum)
{
    memset(sum, 0, (size_t)p->q * sizeof(double));
    memset(f->values, 0, (size_t)(f->stride * f->stride) * sizeof(double));
    for (ptrdiff_t i = 0; i < p->n; i++) {
        const double *x = p->A + i * p->q;
        axpy(p->q, p->weight[i] * p->y[i], x, sum);
        for (ptrdiff_t j = 0; j < p->q; j++)
            axpy(j + 1, p->weight[i] * x[j], x, row(f, j));
    }
}

/* The least squares fit to `point`, and the factor of X'WX; 0 where that is singular. Costs n q^2 / 2. */
INLINE int least_squares(const Rows *p, Room *w, double *point)
{
    Factor *f = &w->factor;
    f->size = 0;
    normal_equations(p, f, point);
    while (f->size < p->q)
        if (append_row(f, 0, row(f, f->size)[f->size]) != 1)
            return 0;
    forward_solve(f, 0, point);
    backward_solve(f, point);
    return 1;
}

/* Descent steps from `point`, which is updated with `residual`. Returns how many rows the last one took over zero.
   Costs 2 n q + q^2 a step. */
INLINE ptrdiff_t descend(const Rows *p, Room *w, double *point, ptrdiff_t steps)
{
    ptrdiff_t passed = 0;
    for (ptrdiff_t done = 0; done < steps; done++) {
        descent(p, w->residual, w->gradient);
        memcpy(w->step, w->gradient, (size_t)p->q * sizeof(double));
        forward_solve(&w->factor, 0, w->step);
        backward_solve(&w->factor, w->step);
        const double slope = -dot(p->q, w->gradient, w->step) / (p->upper - p->lower);
        moves(p->n, p->q, p->A, w->step, -1.0, w->move);
        const ptrdiff_t count = cross(p->n, w->residual, w->move, p->weight, &w->crossings);
        const ptrdiff_t stop = first_rising(&w->crossings, count, slope);
        if (!(slope < 0.0) || stop == count)
            break;
        passed = stop;
        axpy(p->q, w->crossings.when[stop], w->step, point);
        axpy(p->n, w->crossings.when[stop], w->move, w->residual);
        w->residual[w->crossings.row[stop]] = 0.0;
        if (passed <= p->q)
            break;
    }
    return passed;
}

/* Sort crossings first .. last - 1 by `when`, then by `row`. Costs O((last - first)^2). */
INLINE void sort(const Crossings *c, ptrdiff_t first, ptrdiff_t last)
{
    for (ptrdiff_t k = first + 1; k < last; k++)
        for (ptrdiff_t l = k; l > first; l--) {
            if (!(c->when[l] < c->when[l - 1] || (c->when[l] == c->when[l - 1] && c->row[l] < c->row[l - 1])))
                break;
            swap(c, l, l - 1);
        }
}

/* The rows of positive weight nearest to the fit, `size` at most, to `chosen` and `number`, the nearest 3 q in order.
   Costs O(n) and size q. */
INLINE void choose(const Rows *p, Room *w, ptrdiff_t size)
{
    Simplex *s = &w->chosen;
    const Crossings *c = &w->crossings;
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < p->n; i++) {
        c->when[count] = fabs(w->residual[i]);
        c->rise[count] = 1.0;
        c->row[count] = i;
        count += p->weight[i] > 0.0;
    }
    if (size < count)
        first_rising(c, count, -(double)size);
    s->m = size < count ? size : count;
    LADREG_ASSERT(0 <= s->m && s->m <= p->n);
    const ptrdiff_t front = 3 * s->q < s->m ? 3 * s->q : s->m;
    if (front < s->m)
        first_rising(c, s->m, -(double)front);
    sort(c, 0, front);
    for (ptrdiff_t k = 0; k < s->m; k++) {
        const ptrdiff_t i = w->number[k] = c->row[k];
        memcpy(s->A + k * p->q, p->A + i * p->q, (size_t)p->q * sizeof(double));
        s->residual[k] = w->residual[i];
        s->lower[k] = p->weight[i] * p->lower;
        s->upper[k] = p->weight[i] * p->upper;
        s->width[k] = s->upper[k] - s->lower[k];
    }
}

/* A basis of the first independent rows of `count` from `row` on, and its inverse; 0 where there are fewer than q. Row k
   is `rows[k]`, or k where that is NULL. Uses `part`. Costs q^2 a row, and 2 q^2 a row of the basis. */
INLINE int build(ptrdiff_t q, const double *A, ptrdiff_t count, const ptrdiff_t *rows, double least, ptrdiff_t *basis,
                 double *inverse, double *part)
{
    ptrdiff_t found = 0;
    memset(inverse, 0, (size_t)(q * q) * sizeof(double));
    for (ptrdiff_t k = 0; k < q; k++) {
        inverse[k * q + k] = 1.0;
        basis[k] = -1;
    }
    for (ptrdiff_t t = 0; t < count && found < q; t++) {
        const ptrdiff_t i = rows ? rows[t] : t;
        const double *x = A + i * q;
        double largest = 0.0, best = 0.0;
        ptrdiff_t place = -1;
        memset(part, 0, (size_t)q * sizeof(double));
        for (ptrdiff_t j = 0; j < q; j++) {
            axpy(q, x[j], inverse + j * q, part);
            largest = fmax(largest, fabs(x[j]));
        }
        for (ptrdiff_t k = 0; k < q; k++)
            if (basis[k] < 0 && fabs(part[k]) > best)
                best = fabs(part[k]), place = k;
        if (place < 0 || !(best > least * largest))
            continue;
        exchange(q, x, place, inverse, part);
        basis[place] = i;
        found++;
    }
    return found == q;
}

/* Put the basic rows at residual zero, and `goal` at minus the sum of linear and all others at their ends.
   Costs (n + m) q + q^2. */
INLINE void enter_vertex(const Rows *p, Room *w)
{
    Simplex *s = &w->chosen;
    const ptrdiff_t q = p->q;
    for (ptrdiff_t j = 0; j < q; j++) {
        double sum = 0.0;
        for (ptrdiff_t k = 0; k < q; k++)
            sum += s->inverse[j * q + k] * s->residual[s->basis[k]];
        w->step[j] = sum;
    }
    descent(p, w->residual, s->goal);
    for (ptrdiff_t k = 0; k < s->m; k++) {
        const int before = s->residual[k] > 0.0;
        s->residual[k] -= dot(q, s->A + k * q, w->step);
        if (before != (s->residual[k] > 0.0))
            axpy(q, before ? -s->width[k] : s->width[k], s->A + k * q, s->goal);
    }
    for (ptrdiff_t k = 0; k < q; k++) {
        const ptrdiff_t i = s->basis[k];
        axpy(q, -(s->residual[i] > 0.0 ? s->upper[i] : s->lower[i]), s->A + i * q, s->goal);
        s->residual[i] = 0.0;
    }
    for (ptrdiff_t j = 0; j < q; j++)
        s->goal[j] = -s->goal[j];
}

/* The point and the duals of the vertex from the data, by a new inverse and one step of refinement each, and the dual
   of every row to `dual`. Residuals outside `zero` that changed their side are counted. Returns their number, or -1
   where the basic rows are dependent. Costs 2 n q + 5 q^2. */
INLINE ptrdiff_t leave_vertex(const Rows *p, Room *w, double zero, double *point, ptrdiff_t *basis, double *dual)
{
    Simplex *s = &w->chosen;
    const ptrdiff_t q = p->q;
    ptrdiff_t wrong = 0, *listed = w->crossings.row;
    double *rest = w->gradient, *part = w->crossings.when;
    memcpy(listed, s->basis, (size_t)q * sizeof(ptrdiff_t));
    if (!build(q, s->A, q, listed, REGULAR, s->basis, s->inverse, part))
        return -1;
    for (ptrdiff_t k = 0; k < s->m; k++)
        w->residual[w->number[k]] = s->residual[k];
    memset(point, 0, (size_t)q * sizeof(double));
    for (int again = 0; again < 2; again++) {
        for (ptrdiff_t k = 0; k < q; k++)
            rest[k] = p->y[w->number[s->basis[k]]] - dot(q, s->A + s->basis[k] * q, point);
        for (ptrdiff_t j = 0; j < q; j++)
            w->step[j] = dot(q, s->inverse + j * q, rest);
        axpy(q, 1.0, w->step, point);
    }
    for (ptrdiff_t k = 0; k < q; k++)
        basis[k] = w->number[s->basis[k]];
    /* The dual: other rows at the ends of their sides. */
    for (ptrdiff_t i = 0; i < p->n; i++)
        dual[i] = p->weight[i] * (w->residual[i] > 0.0 ? p->upper : p->lower);
    for (ptrdiff_t k = 0; k < q; k++)
        dual[basis[k]] = 0.0;
    for (int again = 0; again < 2; again++) {
        memcpy(s->goal, p->linear, (size_t)q * sizeof(double));
        for (ptrdiff_t i = 0; i < p->n; i++)
            axpy(q, dual[i], p->A + i * q, s->goal);
        for (ptrdiff_t j = 0; j < q; j++)
            s->goal[j] = -s->goal[j];
        solve_duals(s);
        for (ptrdiff_t k = 0; k < q; k++)
            dual[basis[k]] += s->inside[k];
    }
    residuals(p, point, w->move);
    for (ptrdiff_t i = 0; i < p->n; i++) {
        const double before = w->residual[i], after = w->move[i];
        if (p->weight[i] > 0.0 && (before > 0.0) != (after > 0.0) && fabs(after) > zero)
            wrong++;
    }
    memcpy(w->residual, w->move, (size_t)p->n * sizeof(double));
    for (ptrdiff_t k = 0; k < q; k++)
        w->residual[basis[k]] = 0.0;
    return wrong;
}

/* The optimal vertex: its point, basic rows and dual. `started` says that `point` is a start, and that the factor is
   made. Returns the number of exchanges, or -1 where no vertex was found. */
static ptrdiff_t solve_vertex(const Rows *p, Room *w, const Limits *limits, int started, double *point,
                              ptrdiff_t *basis, double *dual)
{
    Simplex *s = &w->chosen;
    ptrdiff_t exchanges = 0, size;
    s->q = p->q;
    if (!(started || least_squares(p, w, point)))
        return -1;
    residuals(p, point, w->residual);
    size = 4 * descend(p, w, point, limits->steps);
    if (size < limits->per_column * p->q)
        size = limits->per_column * p->q;
    for (int round = 0; round < ROUNDS; round++) {
        ptrdiff_t made = -1, wrong = -1;
        if (size > p->n / 2)
            size = p->n;
        choose(p, w, size);
        if (build(p->q, s->A, s->m, NULL, INDEPENDENT, s->basis, s->inverse, s->move)) {
            enter_vertex(p, w);
            made = pivot(s, limits->tolerance, limits->most);
        }
        if (made >= 0) {
            wrong = leave_vertex(p, w, limits->zero, point, basis, dual);
            exchanges += made;
        }
        if (wrong == 0)
            return exchanges;
        if (wrong < 0 && size == p->n)
            return -1;
        size = wrong < 0 ? 4 * size : 2 * size + 4 * wrong;
    }
    return -1;
}
#endif
