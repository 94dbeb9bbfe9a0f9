/* The lasso from knot to knot; `homotopy` in reference.py is its specification.

   Between knots the solution is linear in alpha: features enter where their slope reaches alpha times their strength,
   and leave where their coefficient becomes zero. The walk watches only a pool of features, whose columns are centred
   and multiplied by the roots of the rows' weights; a gradient check of all features follows before the next pool.

   Which features may have entered and left between two gradient checks is known from both: where the residual is at
   most d from the line between the residuals of the two checks, each slope is at most d times the length of its column
   from the line between its own two values (Cauchy-Schwarz). Costs are numbers of multiplications. */
#include "gram.h"

/* A feature may join the pool if its predicted slope reaches 0.5 of alpha times its strength. */
#define NEARBY 0.5
/* Sort the predictions from NEARBY to 1 into 64 levels, of which the pool takes as many as it has room for. */
#define LEVELS 64
/* A slope violates its condition, beyond rounding, if it exceeds alpha times its strength by more than 1e-9 of that. */
#define CERTAIN 1e-9
/* All coefficients are zero where alpha is at least 1 - 1e-13 of that at which the first feature enters. */
#define ROUNDED 1e-13
/* A column is constant, up to rounding, if its variance is at most 1e-28 of its mean square. */
#define CONSTANT 1e-28

/* A place on the path: its support in the order of its factor, and the slopes and rates of its gradient check. */
typedef struct {
    ptrdiff_t at, used, size, *features;
    double alpha, *coef, *sign, *factor, *residual, *slope, *rate;
} Place;

typedef struct {
    ptrdiff_t n, p, along, across; /* rows, features, and the distances of the next row and feature in X */
    const double *X, *shift, *scale, *root, *y; /* columns: (X - shift) * scale * root; y is multiplied by root */
    const double *strength;        /* strengths at alpha = 1 */
    const double *products;        /* products of the columns with y */
    int positive;
    ptrdiff_t n_alphas, at;        /* number of alphas, and of the next alpha to solve for */
    const double *alphas;
    ptrdiff_t room, budget;        /* largest size of the support; knots and pools that are left */
    ptrdiff_t most_knots;          /* largest number of knots before each solution */
    double reach;                  /* alpha falls to this fraction of itself between gradient checks */
    ptrdiff_t *count, *found, *n_knots; /* size of the support, features and number of knots of each solution */
    ptrdiff_t used;                /* entries of `found` and `values` that are written */
    double *values;                /* coefficients of the features in `found` */
    double clear;                  /* not in doubt: slopes below 1 - clear of alpha times their strength */
    unsigned char *in_doubt;       /* a flag per feature */
    double *slope, *rate, *length; /* per feature: slope, its decrease per unit of falling alpha, column's length */
    char *known;                   /* per feature: ELSEWHERE, POOLED or CALLED */
    ptrdiff_t q, largest, *pool;   /* size of the pool, largest size, and features in it */
    double *columns, *here, *change, *bound; /* per place in the pool: column, slope, rate of the slope, strength */
    Lasso s;                       /* support as places in the pool, its factor, coefficients and signs */
    double alpha, *residual, *toward; /* present alpha, residual, and its decrease per unit of falling alpha */
    double *dual, *fall, *cosine, *sine; /* work space */
    Place last;                    /* the last place whose gradient check found no violation */
    ptrdiff_t knots;               /* knots since the last solution */
    ptrdiff_t passed;              /* knots since the last place */
    double *passed_alphas, *passed_residuals; /* alphas and residuals at these knots */
} Homotopy;

/* A feature outside the pool, in it, or to be put into the next one. */
enum { ELSEWHERE, POOLED, CALLED };

/* How the solution changes per unit of falling alpha: coefficients to s.step, the residual to `toward`. Needs the
   factor. O(size^2 + n size). */
INLINE void aim(Homotopy *h)
{
    Lasso *s = &h->s;
    for (ptrdiff_t i = 0; i < s->size; i++)
        s->step[i] = h->bound[s->support[i]] * s->sign[s->support[i]];
    forward_solve(s, 0, s->step);
    backward_solve(s, s->step);
    memset(h->toward, 0, (size_t)h->n * sizeof(double));
    for (ptrdiff_t i = 0; i < s->size; i++)
        axpy(h->n, s->step[i], h->columns + s->support[i] * h->n, h->toward);
}

/* The gradient check: residual, slopes and rates of all features, from the data. Needs the support's columns and
   coefficients. O(2 n p), one read of X. */
INLINE void look_around(Homotopy *h)
{
    double dual = 0.0, fall = 0.0;
    memcpy(h->residual, h->y, (size_t)h->n * sizeof(double));
    for (ptrdiff_t i = 0; i < h->s.size; i++)
        axpy(h->n, -h->s.coef[h->s.support[i]], h->columns + h->s.support[i] * h->n, h->residual);
    aim(h);
    for (ptrdiff_t i = 0; i < h->n; i++) {
        dual += h->dual[i] = h->root[i] * h->residual[i];
        fall += h->fall[i] = h->root[i] * h->toward[i];
    }
    if (h->along == 1) {
        for (ptrdiff_t j = 0; j < h->p; j++)
            dot2(h->n, h->X + j * h->across, h->dual, h->fall, h->slope + j, h->rate + j);
    } else {
        memset(h->slope, 0, (size_t)h->p * sizeof(double));
        memset(h->rate, 0, (size_t)h->p * sizeof(double));
        for (ptrdiff_t i = 0; i < h->n; i++) {
            axpy(h->p, h->dual[i], h->X + i * h->along, h->slope);
            axpy(h->p, h->fall[i], h->X + i * h->along, h->rate);
        }
    }
    for (ptrdiff_t j = 0; j < h->p; j++) {
        h->slope[j] = (h->slope[j] - h->shift[j] * dual) * h->scale[j];
        h->rate[j] = (h->rate[j] - h->shift[j] * fall) * h->scale[j];
    }
}

/* Mark as CALLED the features outside the pool that violate their condition; whether there are any. Needs `slope` as of
   now. O(p). */
INLINE int call_violators(Homotopy *h)
{
    const double edge = h->alpha * (1.0 + CERTAIN);
    int any = 0;
    for (ptrdiff_t begin = 0, end; begin < h->p; begin = end) {
        end = begin + TOGETHER < h->p ? begin + TOGETHER : h->p;
        if (end - begin == TOGETHER && !any_above(h->slope + begin, h->strength + begin, edge, h->positive))
            continue;
        for (ptrdiff_t j = begin; j < end; j++)
            if (h->known[j] == ELSEWHERE && counted(h->slope[j], h->positive) > edge * h->strength[j]) {
                h->known[j] = CALLED;
                any = 1;
            }
    }
    return any;
}

/* The lengths of all columns, to `length`, which is zero before. O(3 n p), one read of X. */
INLINE void measure_columns(Homotopy *h)
{
    double *restrict length = h->length;
    if (h->along == 1) {
        for (ptrdiff_t j = 0; j < h->p; j++) {
            const double *restrict column = h->X + j * h->across, shift = h->shift[j], scale = h->scale[j];
            double square = 0.0;
            for (ptrdiff_t i = 0; i < h->n; i++) {
                const double value = (column[i] - shift) * scale * h->root[i];
                square += value * value;
            }
            length[j] = square;
        }
    } else {
        for (ptrdiff_t i = 0; i < h->n; i++) {
            const double *restrict values = h->X + i * h->along, root = h->root[i];
            for (ptrdiff_t j = 0; j < h->p; j++) {
                const double value = (values[j] - h->shift[j]) * h->scale[j] * root;
                length[j] += value * value;
            }
        }
    }
    for (ptrdiff_t j = 0; j < h->p; j++)
        length[j] = sqrt(length[j]);
}

/* The largest distance of the residuals at the knots passed from the line between those at the last place and here.
   O(n passed). */
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

/* Mark in `in_doubt` the features whose slope may have come within `clear` of alpha times their strength since the last
   place. Needs `slope` and `residual` as of now; overwrites `change`. O(p + n passed). */
INLINE void doubt(Homotopy *h)
{
    const double distance = distance_from_line(h);
    const double before = (1.0 - h->clear) * h->last.alpha, now = (1.0 - h->clear) * h->alpha;
    const double *restrict slope = h->slope, *restrict last = h->last.slope, *restrict strength = h->strength;
    double *restrict left = h->change;
    for (ptrdiff_t j = 0; j < h->p; j++) {
        const double then = before * strength[j] - counted(last[j], h->positive);
        const double here = now * strength[j] - counted(slope[j], h->positive);
        left[j] = (then < here ? then : here) - distance * h->length[j];
    }
    for (ptrdiff_t j = 0; j < h->p; j++)
        h->in_doubt[j] |= !(left[j] > 0.0);
}

/* Copy the present state to `last`. O(n + p + size^2). */
INLINE void keep_place(Homotopy *h)
{
    const Lasso *s = &h->s;
    Place *to = &h->last;
    memcpy(to->residual, h->residual, (size_t)h->n * sizeof(double));
    memcpy(to->slope, h->slope, (size_t)h->p * sizeof(double));
    memcpy(to->rate, h->rate, (size_t)h->p * sizeof(double));
    to->at = h->at;
    to->used = h->used;
    to->size = s->size;
    to->alpha = h->alpha;
    for (ptrdiff_t i = 0; i < s->size; i++) {
        to->features[i] = h->pool[s->support[i]];
        to->coef[i] = s->coef[s->support[i]];
        to->sign[i] = s->sign[s->support[i]];
        memcpy(to->factor + i * s->p, row(s, i), (size_t)(i + 1) * sizeof(double));
    }
}

/* Restore the state of `last`, whose support must be first in the pool; forget the knots passed. O(n + size^2). */
INLINE void go_back(Homotopy *h)
{
    Lasso *s = &h->s;
    const Place *from = &h->last;
    memcpy(h->residual, from->residual, (size_t)h->n * sizeof(double));
    h->passed = 0;
    h->at = from->at;
    h->used = from->used;
    h->alpha = from->alpha;
    s->size = from->size;
    for (ptrdiff_t i = 0; i < s->size; i++) {
        s->support[i] = i;
        s->coef[i] = from->coef[i];
        s->sign[i] = from->sign[i];
        memcpy(row(s, i), from->factor + i * s->p, (size_t)(i + 1) * sizeof(double));
    }
}

/* The prospect of each feature: its larger |slope| / (alpha * strength) of the last place and of `end`, predicted by
   the rates of the last place. O(p). */
INLINE void look_ahead(Homotopy *h, double end, double *restrict prospect)
{
    const double fall = h->last.alpha - end, now = 1.0 / h->last.alpha, then = 1.0 / end;
    const double *restrict slope = h->last.slope, *restrict rate = h->last.rate, *restrict strength = h->strength;
    const int positive = h->positive;
    for (ptrdiff_t j = 0; j < h->p; j++) {
        const double ahead = slope[j] - fall * rate[j];
        const double part = now * (positive ? slope[j] : fabs(slope[j])), next = then * (positive ? ahead : fabs(ahead));
        prospect[j] = (part > next ? part : next) / strength[j];
    }
}

/* The level of a prospect that is at least NEARBY: LEVELS from 1 on, and LEVELS + 1 for infinity. */
INLINE int level(double prospect)
{
    const double part = (prospect - NEARBY) * (LEVELS / (1.0 - NEARBY));
    return part < LEVELS ? (int)part : LEVELS + (prospect == INFINITY);
}

/* Add feature j to the pool, outside the support. Needs q < largest. O(n). */
INLINE void take_in(Homotopy *h, ptrdiff_t j)
{
    double *column = h->columns + h->q * h->n;
    for (ptrdiff_t i = 0; i < h->n; i++)
        column[i] = (h->X[i * h->along + j * h->across] - h->shift[j]) * h->scale[j] * h->root[i];
    h->bound[h->q] = h->strength[j];
    h->s.coef[h->q] = 0.0;
    h->s.state[h->q] = OUTSIDE;
    h->pool[h->q++] = j;
}

/* Go back to the last place, with the pool for the way to `end`: the support, the features that are CALLED, and those
   of the best prospects. Returns 0, and leaves pool and place, if the CALLED features find no room. O(p + n q). */
INLINE int choose_pool(Homotopy *h, double end)
{
    ptrdiff_t number[LEVELS + 2] = { 0 }, left = h->largest - h->last.size;
    double *prospect = h->change;
    look_ahead(h, end, prospect);
    for (ptrdiff_t i = 0; i < h->last.size; i++)
        prospect[h->last.features[i]] = -1.0;
    for (ptrdiff_t j = 0; j < h->p; j++) {
        if (h->known[j] != CALLED)
            h->known[j] = ELSEWHERE;
        else if (prospect[j] >= 0.0)
            prospect[j] = INFINITY;
        if (prospect[j] >= NEARBY)
            number[level(prospect[j])]++;
    }
    int lowest = LEVELS + 2;
    while (lowest > 0 && number[lowest - 1] <= left)
        left -= number[--lowest];
    if (lowest == LEVELS + 2)
        return 0;
    h->q = 0;
    for (ptrdiff_t i = 0; i < h->last.size; i++) {
        take_in(h, h->last.features[i]);
        h->s.state[i] = INSIDE;
    }
    go_back(h);
    for (ptrdiff_t j = 0; j < h->p; j++)
        if (prospect[j] >= NEARBY && level(prospect[j]) >= lowest)
            take_in(h, j);
    for (ptrdiff_t k = 0; k < h->q; k++)
        if (h->known[h->pool[k]] == ELSEWHERE)
            h->known[h->pool[k]] = POOLED;
    multiply(h->q, h->n, h->columns, h->residual, h->here);
    return 1;
}

/* The next event: after which fall of alpha a feature of the pool enters, with which sign, or one leaves (-1: none). */
typedef struct {
    double after, sign;
    ptrdiff_t enters, leaves;
} Event;

/* The first event before alpha falls by `most`. `left` is the place in the pool of a feature that has just left, or -1.
   Needs the directions of `aim`, and `here` and `change`. O(q). */
INLINE Event next_event(const Homotopy *h, double most, ptrdiff_t left)
{
    const Lasso *s = &h->s;
    Event event = { most, 0.0, -1, -1 };
    for (ptrdiff_t k = 0; k < h->q; k++) {
        if (s->state[k] == INSIDE)
            continue;
        /* The slope of a feature that has just left is at its bound, and moves away from it. */
        const double here = h->here[k], change = h->change[k], bound = h->bound[k];
        const double up = h->alpha * bound - here, down = h->alpha * bound + here;
        if (change < bound && up < event.after * (bound - change) && !(k == left && s->sign[k] > 0.0))
            event = (Event){ fmax(up, 0.0) / (bound - change), 1.0, k, -1 };
        if (!h->positive && -change < bound && down < event.after * (bound + change)
            && !(k == left && s->sign[k] < 0.0))
            event = (Event){ fmax(down, 0.0) / (bound + change), -1.0, k, -1 };
    }
    for (ptrdiff_t i = 0; i < s->size; i++) {
        const ptrdiff_t k = s->support[i];
        if (s->sign[k] * (s->coef[k] + event.after * s->step[i]) < 0.0)
            event = (Event){ fmax(-s->coef[k] / s->step[i], 0.0), 0.0, -1, i };
    }
    return event;
}

/* Move coefficients, residual and slopes of the pool to where alpha has fallen by `fall`. O(size + n + q). */
INLINE void advance(Homotopy *h, double fall)
{
    for (ptrdiff_t i = 0; i < h->s.size; i++)
        h->s.coef[h->s.support[i]] += fall * h->s.step[i];
    axpy(h->n, -fall, h->toward, h->residual);
    axpy(h->q, -fall, h->change, h->here);
}

/* Append feature k of the pool to the support and the factor. Returns 0, and leaves both, if its column depends on the
   support or is constant, or the support has no room. O(n size + size^2 / 2). */
INLINE int let_in(Homotopy *h, ptrdiff_t k, double sign)
{
    Lasso *s = &h->s;
    const double *column = h->columns + k * h->n, square = dot(h->n, column, column);
    double whole = 0.0;
    for (ptrdiff_t i = 0; i < h->n; i++) {
        const double value = h->X[i * h->along + h->pool[k] * h->across] * h->scale[h->pool[k]] * h->root[i];
        whole += value * value;
    }
    if (s->size == h->room || !(square > CONSTANT * whole))
        return 0;
    for (ptrdiff_t i = 0; i < s->size; i++)
        row(s, s->size)[i] = dot(h->n, h->columns + s->support[i] * h->n, column);
    close_row(s, k, 0, square);
    s->sign[k] = sign;
    return s->state[k] == INSIDE;
}

/* Write the solution for the next alpha, and go on to the one after. O(size). */
INLINE void note(Homotopy *h)
{
    const Lasso *s = &h->s;
    h->count[h->at] = s->size;
    for (ptrdiff_t i = 0; i < s->size; i++, h->used++) {
        h->found[h->used] = h->pool[s->support[i]];
        h->values[h->used] = s->coef[s->support[i]];
    }
    h->n_knots[h->at++] = h->knots > 0 ? h->knots : 1;
    h->knots = 0;
}

/* Record a knot with its alpha and residual. O(n). */
INLINE void pass_knot(Homotopy *h)
{
    h->passed_alphas[h->passed] = h->alpha;
    memcpy(h->passed_residuals + h->passed * h->n, h->residual, (size_t)h->n * sizeof(double));
    h->passed++;
    h->knots++;
}

/* Walk from knot to knot until alpha is `end`, or `room` knots are passed, and write the solutions on the way. Returns
   0 where the budget or `most_knots` is used up, or a feature can't enter. O(n (size + q) + size^2) per knot. */
INLINE int walk(Homotopy *h, double end)
{
    Lasso *s = &h->s;
    ptrdiff_t left = -1;
    int changed = 1;
    while (h->alpha > end || (h->at < h->n_alphas && h->alphas[h->at] >= h->alpha)) {
        /* Knots at which a feature leaves may follow, at most `room`: there is room for 2 * room knots. */
        if (h->passed >= h->room && left < 0)
            return 1;
        if (changed) {
            if (h->budget-- <= 0 || h->knots > h->most_knots)
                return 0;
            aim(h);
            multiply(h->q, h->n, h->columns, h->toward, h->change);
        }
        const int is_wanted = h->at < h->n_alphas && h->alphas[h->at] >= end;
        const double target = is_wanted ? h->alphas[h->at] : end;
        const Event event = next_event(h, fmax(h->alpha - target, 0.0), left);
        advance(h, event.after);
        changed = event.enters >= 0 || event.leaves >= 0;
        h->alpha = changed ? h->alpha - event.after : fmin(h->alpha, target);
        left = -1;
        if (event.enters >= 0 && !let_in(h, event.enters, event.sign))
            return 0;
        if (event.leaves >= 0) {
            left = s->support[event.leaves];
            s->coef[left] = 0.0;
            drop(s, event.leaves, h->cosine, h->sine);
            s->state[left] = OUTSIDE;
        }
        if (changed)
            pass_knot(h);
        else if (is_wanted)
            note(h);
    }
    return 1;
}

/* Start at the alpha where the first feature enters; the solutions for alphas above are zero, and are written. Needs a
   state of zeros. O(3 n p). */
INLINE void set_out(Homotopy *h)
{
    measure_columns(h);
    memcpy(h->residual, h->y, (size_t)h->n * sizeof(double));
    memcpy(h->slope, h->products, (size_t)h->p * sizeof(double));
    for (ptrdiff_t j = 0; j < h->p; j++)
        h->alpha = fmax(h->alpha, counted(h->slope[j], h->positive) / h->strength[j]);
    while (h->at < h->n_alphas && h->alphas[h->at] >= h->alpha * (1.0 - ROUNDED))
        note(h);
    keep_place(h);
}

/* Solve for the alphas, until the budget is used up or a walk can't go on; h->at of them are solved. Where a gradient
   check finds a violation, the walk from the last place is repeated over a shorter way with another pool. O(n p) per
   gradient check, and `walk`. */
CLONES static void homotopy(Homotopy *h)
{
    int is_well = 1, goes_on = 1;
    set_out(h);
    for (;;) {
        if (is_well) {
            doubt(h);
            keep_place(h);
        } else {
            h->at = h->last.at;
            h->reach = sqrt(h->reach);
        }
        if (!goes_on || h->at == h->n_alphas || h->budget-- <= 0)
            return;
        const double end = fmax(h->last.alpha * h->reach, h->alphas[h->n_alphas - 1]);
        is_well = choose_pool(h, end);
        if (is_well) {
            goes_on = walk(h, end);
            look_around(h);
            is_well = !call_violators(h);
        } else {
            memset(h->known, ELSEWHERE, (size_t)h->p);
        }
    }
}
