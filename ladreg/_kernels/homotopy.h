/* The lasso from knot to knot; `homotopy` in reference.py is its specification.

   Between knots the solution is linear in alpha: features enter where their slope reaches alpha times their strength,
   and leave where their coefficient becomes zero. Only a pool of features is watched, whose columns are centred
   and multiplied by the roots of the rows' weights; a gradient check of all features follows before the next pool.

   Which features may have entered and left between two gradient checks is known from both: where the residual is at
   most d from the line between the residuals of the two checks, each slope is at most d times the length of its column
   from the line between its own two values (Cauchy-Schwarz).

   Needs: a `Homotopy` whose arrays have the lengths that its declaration says; alphas that do not rise; alphas and
   strengths above zero. A routine that says more needs more.
   Owns: nothing. The caller allocates all arrays and frees them; no routine allocates.
   Costs are numbers of multiplications, with `size` features in the support and `q` in the pool. */
#include "cholesky.h"

/* A feature may join the pool if its predicted slope reaches 0.5 of alpha times its strength. */
#define NEARBY fmin(SPEED(0.5), 0.9)
/* Sort the predictions from NEARBY to 1 into 64 levels, of which the pool takes as many as it has room for. */
#define LEVELS SPEED(64)
/* A slope violates its condition, beyond rounding, if it exceeds alpha times its strength by more than 1e-9 of that. */
#define CERTAIN 1e-9
/* All coefficients are zero where alpha is at least 1 - 1e-13 of that at which the first feature enters. */
#define ROUNDED 1e-13

/* A point of the path: its support in the order of its factor, and the slopes and rates of its gradient check. */
typedef struct {
    ptrdiff_t at, used, size, *features;
    double alpha, *coef, *sign, *factor, *residual, *slope, *rate;
} Checkpoint;

/* A feature outside the pool, in it, or to be put into the next one. */
enum { NOT_POOLED, POOLED, REQUIRED };

typedef struct {
    ptrdiff_t n, p, row_step, column_step; /* rows, features, and the distances of the next row and feature in X */
    const double *X, *shift, *scale, *root, *y; /* columns: (X - shift) * scale * root; y is multiplied by root */
    const double *strength;        /* p strengths at alpha = 1 */
    const double *products;        /* p products of the columns with y */
    int positive;
    ptrdiff_t n_alphas, at;        /* number of alphas, and of the next alpha to solve for */
    const double *alphas;
    double constant;               /* a column is constant if its variance is at most this part of its mean square */
    ptrdiff_t room, budget;        /* largest size of the support; knots and pools that are left */
    ptrdiff_t most_knots;          /* largest number of knots before each solution */
    double reach;                  /* alpha falls to this fraction of itself between gradient checks */
    ptrdiff_t *count, *found, *n_knots; /* size of the support, features and number of knots of each solution */
    ptrdiff_t used;                /* entries of `found` and `values` that are written, at most n_alphas * room */
    double *values;                /* coefficients of the features in `found` */
    double clear;                  /* not uncertain: slopes below 1 - clear of alpha times their strength */
    unsigned char *uncertain;      /* a flag per feature */
    double *slope, *rate, *length; /* per feature: slope, its decrease per unit of falling alpha, column's length */
    double *work;                  /* p numbers */
    char *pooling;                 /* per feature: NOT_POOLED, POOLED or REQUIRED */
    ptrdiff_t q, pool_room, *pool; /* size of the pool, largest size, and features in it */
    double *columns;               /* pool_room x n */
    double *pool_slope, *pool_rate, *bound; /* per place in the pool: slope, its rate, strength */
    double *coef, *sign;           /* per place in the pool */
    char *inside;                  /* whether a place in the pool is in the support */
    ptrdiff_t *support;            /* places in the pool, in the order of the factor */
    Factor factor;                 /* stride `room` */
    double *step;                  /* per place in the support: change of the coefficient per unit of falling alpha */
    double alpha, *residual, *residual_rate; /* present alpha, residual, and its decrease per unit of falling alpha */
    double *dual, *dual_rate;      /* n numbers each */
    Checkpoint last;               /* the last point whose gradient check found no violation */
    ptrdiff_t knots;               /* knots since the last solution */
    ptrdiff_t passed;              /* knots since the last checkpoint, at most 2 * room */
    double *passed_alphas, *passed_residuals; /* alphas and residuals at these knots */
} Homotopy;

/* How the solution changes per unit of falling alpha: coefficients to `step`, the residual to `residual_rate`. Needs
   the factor. Costs size^2 + n size. */
INLINE void path_direction(Homotopy *h)
{
    for (ptrdiff_t i = 0; i < h->factor.size; i++)
        h->step[i] = h->bound[h->support[i]] * h->sign[h->support[i]];
    forward_solve(&h->factor, 0, h->step);
    backward_solve(&h->factor, h->step);
    memset(h->residual_rate, 0, (size_t)h->n * sizeof(double));
    for (ptrdiff_t i = 0; i < h->factor.size; i++)
        axpy(h->n, h->step[i], h->columns + h->support[i] * h->n, h->residual_rate);
}

/* The gradient check: residual, slopes and rates of all features, from the data. Needs the support's columns and
   coefficients. Costs 2 n p, one read of X. */
INLINE void check_gradient(Homotopy *h)
{
    double dual = 0.0, fall = 0.0;
    memcpy(h->residual, h->y, (size_t)h->n * sizeof(double));
    for (ptrdiff_t i = 0; i < h->factor.size; i++)
        axpy(h->n, -h->coef[h->support[i]], h->columns + h->support[i] * h->n, h->residual);
    path_direction(h);
    for (ptrdiff_t i = 0; i < h->n; i++) {
        dual += h->dual[i] = h->root[i] * h->residual[i];
        fall += h->dual_rate[i] = h->root[i] * h->residual_rate[i];
    }
    if (h->row_step == 1) {
        for (ptrdiff_t j = 0; j < h->p; j++)
            dot2(h->n, h->X + j * h->column_step, h->dual, h->dual_rate, h->slope + j, h->rate + j);
    } else {
        memset(h->slope, 0, (size_t)h->p * sizeof(double));
        memset(h->rate, 0, (size_t)h->p * sizeof(double));
        for (ptrdiff_t i = 0; i < h->n; i++) {
            axpy(h->p, h->dual[i], h->X + i * h->row_step, h->slope);
            axpy(h->p, h->dual_rate[i], h->X + i * h->row_step, h->rate);
        }
    }
    for (ptrdiff_t j = 0; j < h->p; j++) {
        h->slope[j] = (h->slope[j] - h->shift[j] * dual) * h->scale[j];
        h->rate[j] = (h->rate[j] - h->shift[j] * fall) * h->scale[j];
    }
}

/* Mark as REQUIRED the features outside the pool that violate their condition; whether there are any. Needs `slope` as
   of now. Costs p. */
INLINE int require_violators(Homotopy *h)
{
    const double edge = h->alpha * (1.0 + CERTAIN);
    int any = 0;
    for (ptrdiff_t begin = 0, end; begin < h->p; begin = end) {
        end = begin + TOGETHER < h->p ? begin + TOGETHER : h->p;
        if (end - begin == TOGETHER && !any_above(h->slope + begin, h->strength + begin, edge, h->positive))
            continue;
        for (ptrdiff_t j = begin; j < end; j++)
            if (h->pooling[j] == NOT_POOLED && counted(h->slope[j], h->positive) > edge * h->strength[j]) {
                h->pooling[j] = REQUIRED;
                any = 1;
            }
    }
    return any;
}

/* The lengths of all columns, to `length`, which is zero before. Costs 3 n p, one read of X. */
INLINE void column_lengths(Homotopy *h)
{
    double *restrict length = h->length;
    if (h->row_step == 1) {
        for (ptrdiff_t j = 0; j < h->p; j++) {
            const double *restrict column = h->X + j * h->column_step, shift = h->shift[j], scale = h->scale[j];
            double square = 0.0;
            for (ptrdiff_t i = 0; i < h->n; i++) {
                const double value = (column[i] - shift) * scale * h->root[i];
                square += value * value;
            }
            length[j] = square;
        }
    } else {
        for (ptrdiff_t i = 0; i < h->n; i++) {
            const double *restrict values = h->X + i * h->row_step, root = h->root[i];
            for (ptrdiff_t j = 0; j < h->p; j++) {
                const double value = (values[j] - h->shift[j]) * h->scale[j] * root;
                length[j] += value * value;
            }
        }
    }
    for (ptrdiff_t j = 0; j < h->p; j++)
        length[j] = sqrt(length[j]);
}

/* The largest distance of the residuals at the knots passed from the line between those at the last checkpoint and
   here. Costs n passed. */
INLINE double distance_from_line(const Homotopy *h)
{
    const double width = h->last.alpha - h->alpha;
    double largest = 0.0;
    for (ptrdiff_t k = 0; k < h->passed; k++) {
        const double share = width > 0.0 ? (h->last.alpha - h->passed_alphas[k]) / width : 0.0;
        const double *restrict residual = h->passed_residuals + k * h->n;
        double square = 0.0;
        for (ptrdiff_t i = 0; i < h->n; i++) {
            const double apart = residual[i] - (1.0 - share) * h->last.residual[i] - share * h->residual[i];
            square += apart * apart;
        }
        largest = square <= largest ? largest : square; /* NaN stays */
    }
    return sqrt(largest);
}

/* Mark in `uncertain` the features whose slope may have come within `clear` of alpha times their strength since the
   last place. Needs `slope` and `residual` as of now; overwrites `work`. Costs p + n passed. */
INLINE void mark_uncertain(Homotopy *h)
{
    const double distance = distance_from_line(h);
    const double before = (1.0 - h->clear) * h->last.alpha, now = (1.0 - h->clear) * h->alpha;
    const double *restrict slope = h->slope, *restrict last = h->last.slope, *restrict strength = h->strength;
    double *restrict left = h->work;
    for (ptrdiff_t j = 0; j < h->p; j++) {
        const double then = before * strength[j] - counted(last[j], h->positive);
        const double here = now * strength[j] - counted(slope[j], h->positive);
        left[j] = (then < here ? then : here) - distance * h->length[j];
    }
    for (ptrdiff_t j = 0; j < h->p; j++)
        h->uncertain[j] |= !(left[j] > 0.0);
}

/* Copy the present state to `last`. Costs n + p + size^2. */
INLINE void save_checkpoint(Homotopy *h)
{
    Checkpoint *to = &h->last;
    memcpy(to->residual, h->residual, (size_t)h->n * sizeof(double));
    memcpy(to->slope, h->slope, (size_t)h->p * sizeof(double));
    memcpy(to->rate, h->rate, (size_t)h->p * sizeof(double));
    to->at = h->at;
    to->used = h->used;
    to->size = h->factor.size;
    to->alpha = h->alpha;
    for (ptrdiff_t i = 0; i < h->factor.size; i++) {
        to->features[i] = h->pool[h->support[i]];
        to->coef[i] = h->coef[h->support[i]];
        to->sign[i] = h->sign[h->support[i]];
        memcpy(to->factor + i * h->factor.stride, row(&h->factor, i), (size_t)(i + 1) * sizeof(double));
    }
}

/* Restore the state of `last`, whose support must be first in the pool; forget the knots passed. Costs n + size^2. */
INLINE void restore_checkpoint(Homotopy *h)
{
    const Checkpoint *from = &h->last;
    LADREG_ASSERT(from->size <= h->q && from->size <= h->room);
    memcpy(h->residual, from->residual, (size_t)h->n * sizeof(double));
    h->passed = 0;
    h->at = from->at;
    h->used = from->used;
    h->alpha = from->alpha;
    h->factor.size = from->size;
    for (ptrdiff_t i = 0; i < h->factor.size; i++) {
        h->support[i] = i;
        h->coef[i] = from->coef[i];
        h->sign[i] = from->sign[i];
        memcpy(row(&h->factor, i), from->factor + i * h->factor.stride, (size_t)(i + 1) * sizeof(double));
    }
}

/* The ratio of each feature: its larger |slope| / (alpha * strength) of the last checkpoint and of `end`, predicted by
   the rates of the last checkpoint. Costs p. */
INLINE void predict_ratios(Homotopy *h, double end, double *restrict ratio)
{
    const double fall = h->last.alpha - end, now = 1.0 / h->last.alpha, then = 1.0 / end;
    const double *restrict slope = h->last.slope, *restrict rate = h->last.rate, *restrict strength = h->strength;
    const int positive = h->positive;
    for (ptrdiff_t j = 0; j < h->p; j++) {
        const double ahead = slope[j] - fall * rate[j];
        const double part = now * (positive ? slope[j] : fabs(slope[j]));
        const double next = then * (positive ? ahead : fabs(ahead));
        ratio[j] = (part > next ? part : next) / strength[j];
    }
}

/* The level of a ratio that is at least NEARBY: LEVELS from 1 on, and LEVELS + 1 for infinity. */
INLINE int level(double ratio)
{
    const double part = (ratio - NEARBY) * (LEVELS / (1.0 - NEARBY));
    return part < LEVELS ? (int)part : LEVELS + (ratio == INFINITY);
}

/* Add feature j to the pool, outside the support. Needs q < pool_room. Costs n. */
INLINE void pool_column(Homotopy *h, ptrdiff_t j)
{
    double *column = h->columns + h->q * h->n;
    LADREG_ASSERT(h->q < h->pool_room && 0 <= j && j < h->p);
    for (ptrdiff_t i = 0; i < h->n; i++)
        column[i] = (h->X[i * h->row_step + j * h->column_step] - h->shift[j]) * h->scale[j] * h->root[i];
    h->bound[h->q] = h->strength[j];
    h->coef[h->q] = 0.0;
    h->inside[h->q] = 0;
    h->pool[h->q++] = j;
}

/* Go back to the last checkpoint, with the pool for the path down to `end`: the support, the features that are
   REQUIRED, and those of the best ratios. Returns 0, and leaves the pool, if the REQUIRED features find no room. Costs
   p + n q. */
INLINE int choose_pool(Homotopy *h, double end)
{
    ptrdiff_t number[LEVELS + 2] = { 0 }, left = h->pool_room - h->last.size;
    double *ratio = h->work;
    predict_ratios(h, end, ratio);
    for (ptrdiff_t i = 0; i < h->last.size; i++)
        ratio[h->last.features[i]] = -1.0;
    for (ptrdiff_t j = 0; j < h->p; j++) {
        if (h->pooling[j] != REQUIRED)
            h->pooling[j] = NOT_POOLED;
        else if (ratio[j] >= 0.0)
            ratio[j] = INFINITY;
        if (ratio[j] >= NEARBY)
            number[level(ratio[j])]++;
    }
    int lowest = LEVELS + 2;
    while (lowest > 0 && number[lowest - 1] <= left)
        left -= number[--lowest];
    if (lowest == LEVELS + 2)
        return 0;
    h->q = 0;
    for (ptrdiff_t i = 0; i < h->last.size; i++) {
        pool_column(h, h->last.features[i]);
        h->inside[i] = 1;
    }
    restore_checkpoint(h);
    for (ptrdiff_t j = 0; j < h->p; j++)
        if (ratio[j] >= NEARBY && level(ratio[j]) >= lowest)
            pool_column(h, j);
    for (ptrdiff_t k = 0; k < h->q; k++)
        if (h->pooling[h->pool[k]] == NOT_POOLED)
            h->pooling[h->pool[k]] = POOLED;
    multiply(h->q, h->n, h->columns, h->residual, h->pool_slope);
    return 1;
}

/* The next event: after which fall of alpha a feature of the pool enters, with which sign, or one leaves (-1: none). */
typedef struct {
    double after, sign;
    ptrdiff_t enters, leaves;
} Event;

/* The first event before alpha falls by `most`. `left` is the place in the pool of a feature that has just left, or -1.
   Needs the directions of `path_direction`, `pool_slope` and `pool_rate`. Costs q. */
INLINE Event next_event(const Homotopy *h, double most, ptrdiff_t left)
{
    Event event = { most, 0.0, -1, -1 };
    for (ptrdiff_t k = 0; k < h->q; k++) {
        if (h->inside[k])
            continue;
        /* The slope of a feature that has just left is at its bound, and moves away from it. */
        const double here = h->pool_slope[k], change = h->pool_rate[k], bound = h->bound[k];
        const double up = h->alpha * bound - here, down = h->alpha * bound + here;
        if (change < bound && up < event.after * (bound - change) && !(k == left && h->sign[k] > 0.0))
            event = (Event){ fmax(up, 0.0) / (bound - change), 1.0, k, -1 };
        if (!h->positive && -change < bound && down < event.after * (bound + change)
            && !(k == left && h->sign[k] < 0.0))
            event = (Event){ fmax(down, 0.0) / (bound + change), -1.0, k, -1 };
    }
    for (ptrdiff_t i = 0; i < h->factor.size; i++) {
        const ptrdiff_t k = h->support[i];
        if (h->sign[k] * (h->coef[k] + event.after * h->step[i]) < 0.0)
            event = (Event){ fmax(-h->coef[k] / h->step[i], 0.0), 0.0, -1, i };
    }
    return event;
}

/* Move coefficients, residual and slopes of the pool to where alpha has fallen by `fall`. Costs size + n + q. */
INLINE void advance(Homotopy *h, double fall)
{
    for (ptrdiff_t i = 0; i < h->factor.size; i++)
        h->coef[h->support[i]] += fall * h->step[i];
    axpy(h->n, -fall, h->residual_rate, h->residual);
    axpy(h->q, -fall, h->pool_rate, h->pool_slope);
}

/* Append feature k of the pool to the support and the factor. Returns 0, and leaves both, if its column depends on the
   support or is constant, or the support has no room. Costs n size + size^2 / 2. */
INLINE int enter(Homotopy *h, ptrdiff_t k, double sign)
{
    const double *column = h->columns + k * h->n, square = dot(h->n, column, column);
    const ptrdiff_t size = h->factor.size;
    double whole = 0.0;
    LADREG_ASSERT(0 <= k && k < h->q && !h->inside[k] && size <= h->room);
    for (ptrdiff_t i = 0; i < h->n; i++) {
        const double value = h->X[i * h->row_step + h->pool[k] * h->column_step] * h->scale[h->pool[k]] * h->root[i];
        whole += value * value;
    }
    if (size == h->room || !(square > h->constant * whole))
        return 0;
    for (ptrdiff_t i = 0; i < size; i++)
        row(&h->factor, size)[i] = dot(h->n, h->columns + h->support[i] * h->n, column);
    if (append_row(&h->factor, 0, square) <= 0)
        return 0;
    h->support[size] = k;
    h->sign[k] = sign;
    h->inside[k] = 1;
    return 1;
}

/* Take the i-th feature out of the support and the factor; returns its place in the pool. Needs 0 <= i < size. Costs 2
   (size - i)^2. */
INLINE ptrdiff_t leave(Homotopy *h, ptrdiff_t i)
{
    const ptrdiff_t k = h->support[i];
    delete_row(&h->factor, i);
    memmove(h->support + i, h->support + i + 1, (size_t)(h->factor.size - i) * sizeof(ptrdiff_t));
    h->coef[k] = 0.0;
    h->inside[k] = 0;
    return k;
}

/* Write the solution for the next alpha, and go on to the one after. Costs size. */
INLINE void record_solution(Homotopy *h)
{
    LADREG_ASSERT(h->at < h->n_alphas && h->used + h->factor.size <= h->n_alphas * h->room);
    h->count[h->at] = h->factor.size;
    for (ptrdiff_t i = 0; i < h->factor.size; i++, h->used++) {
        h->found[h->used] = h->pool[h->support[i]];
        h->values[h->used] = h->coef[h->support[i]];
    }
    h->n_knots[h->at++] = h->knots > 0 ? h->knots : 1;
    h->knots = 0;
}

/* Record a knot with its alpha and residual. Costs n. */
INLINE void record_knot(Homotopy *h)
{
    LADREG_ASSERT(h->passed < 2 * h->room);
    h->passed_alphas[h->passed] = h->alpha;
    memcpy(h->passed_residuals + h->passed * h->n, h->residual, (size_t)h->n * sizeof(double));
    h->passed++;
    h->knots++;
}

/* Follow the path from knot to knot until alpha is `end`, or `room` knots are passed, and write the solutions on the
   way. Returns 0 where the budget or `most_knots` is used up, or a feature cannot enter. Costs n (size + q) + size^2
   per knot. */
INLINE int follow_knots(Homotopy *h, double end)
{
    ptrdiff_t left = -1;
    int changed = 1;
    while (h->alpha > end || (h->at < h->n_alphas && h->alphas[h->at] >= h->alpha)) {
        /* Knots at which a feature leaves may follow, at most `room`: there is room for 2 * room knots. */
        if (h->passed >= h->room && left < 0)
            return 1;
        if (changed) {
            if (h->budget-- <= 0 || h->knots > h->most_knots)
                return 0;
            path_direction(h);
            multiply(h->q, h->n, h->columns, h->residual_rate, h->pool_rate);
        }
        const int is_wanted = h->at < h->n_alphas && h->alphas[h->at] >= end;
        const double target = is_wanted ? h->alphas[h->at] : end;
        const Event event = next_event(h, fmax(h->alpha - target, 0.0), left);
        advance(h, event.after);
        changed = event.enters >= 0 || event.leaves >= 0;
        h->alpha = changed ? h->alpha - event.after : fmin(h->alpha, target);
        left = -1;
        if (event.enters >= 0 && !enter(h, event.enters, event.sign))
            return 0;
        if (event.leaves >= 0)
            left = leave(h, event.leaves);
        if (changed)
            record_knot(h);
        else if (is_wanted)
            record_solution(h);
    }
    return 1;
}

/* Start at the alpha where the first feature enters; the solutions for alphas above are zero, and are written. Needs a
   state of zeros. Costs 3 n p. */
INLINE void start(Homotopy *h)
{
    column_lengths(h);
    memcpy(h->residual, h->y, (size_t)h->n * sizeof(double));
    memcpy(h->slope, h->products, (size_t)h->p * sizeof(double));
    for (ptrdiff_t j = 0; j < h->p; j++)
        h->alpha = fmax(h->alpha, counted(h->slope[j], h->positive) / h->strength[j]);
    while (h->at < h->n_alphas && h->alphas[h->at] >= h->alpha * (1.0 - ROUNDED))
        record_solution(h);
    save_checkpoint(h);
}

/* Solve for the alphas, until the budget is used up or the path cannot go on; h->at of them are solved. Where a
   gradient check finds a violation, the path from the last checkpoint is repeated over a shorter way with another pool.
   Needs what `start` needs. Costs 2 n p per gradient check, and `follow_knots`. */
CLONES static void homotopy(Homotopy *h)
{
    int is_well = 1, goes_on = 1;
    start(h);
    for (;;) {
        if (is_well) {
            mark_uncertain(h);
            save_checkpoint(h);
        } else {
            h->at = h->last.at;
            h->reach = sqrt(h->reach);
        }
        if (!goes_on || h->at == h->n_alphas || h->budget-- <= 0)
            return;
        const double end = fmax(h->last.alpha * h->reach, h->alphas[h->n_alphas - 1]);
        is_well = choose_pool(h, end);
        if (is_well) {
            goes_on = follow_knots(h, end);
            check_gradient(h);
            is_well = !require_violators(h);
        } else {
            memset(h->pooling, NOT_POOLED, (size_t)h->p);
        }
    }
}
