/* The lasso from knot to knot; `homotopy` in reference.py is its specification.

   Between knots the solution is linear in alpha: features enter where their slope reaches alpha times their strength,
   and leave where their coefficient becomes zero. Only a pool of features is watched, centred, and multiplied by the
   roots of the rows' weights; all are looked at where a pool is chosen, and where it is left behind.

   Who may have come and gone between two looks is told by them: in between a residual is as far from the line between
   theirs as it is, and a slope at most as many lengths of its column from the line between its own (Cauchy-Schwarz). */
#include "gram.h"

/* Features are in the pool that may take this part of their strength soon, from one of so many levels up. */
#define NEARBY 0.5
#define LEVELS 64
/* A violation above this part of a strength is not rounding; nothing has come in where alpha differs by less than that
   from where the first does. */
#define CERTAIN 1e-9
#define ROUNDED 1e-13
/* A column whose variance is below this part of its mean square is constant up to rounding. */
#define CONSTANT 1e-28

/* A place on the path, its support in the order of its factor, and what a look showed there. */
typedef struct {
    ptrdiff_t at, used, size, *features;
    double alpha, *coef, *sign, *factor, *residual, *slope, *rate;
} Place;

typedef struct {
    ptrdiff_t n, p, along, across; /* rows, features, and how far the next of each is in X */
    const double *X, *shift, *scale, *root, *y; /* columns: (X - shift) * scale; y is multiplied by root */
    const double *strength;        /* at alpha = 1 */
    const double *products;        /* of the columns with y */
    int positive;
    ptrdiff_t n_alphas, at;        /* how many, and the next one */
    const double *alphas;
    ptrdiff_t room, budget;        /* the largest support, and so many knots and looks at most */
    ptrdiff_t most_knots;          /* before each solution */
    double reach;                  /* alpha falls to this part of itself between looks */
    ptrdiff_t *count, *found, *n_knots; /* of each solution the size of its support, its features, and its knots */
    ptrdiff_t used;                /* features that were written, one solution after the other */
    double *values;                /* their coefficients */
    double clear;                  /* who stays below its strength by that part of it is not in doubt */
    unsigned char *in_doubt;       /* of all features */
    double *slope, *rate, *length; /* of all features and their columns; rates are those where alpha falls */
    char *known;                   /* of all features */
    ptrdiff_t q, largest, *pool;   /* features in the pool, at most, and which these are */
    double *columns, *here, *change, *bound; /* of the pool: columns, slopes, their rates, strengths */
    Lasso s;                       /* the support by places in the pool, its factor, coefficients and signs */
    double alpha, *residual, *toward; /* where the walk is, its residual, and what this loses as alpha falls */
    double *dual, *fall, *cosine, *sine;
    Place last;                    /* where all was well */
    ptrdiff_t knots;               /* since the last solution */
    ptrdiff_t passed;              /* knots since that place, their alphas and residuals */
    double *passed_alphas, *passed_residuals;
} Homotopy;

enum { ELSEWHERE, POOLED, CALLED };

/* How the solution changes as alpha falls. */
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

/* A look at all features: their slopes and rates, from the data. */
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

/* Features that should have been in the pool are in all to come; whether there are any. */
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

/* How far the residual was from the line between those at the last place and here. */
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

/* Who may have come near to its strength since the last place. */
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

/* To the place that was kept, whose support comes first in the pool since then. */
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

/* What each feature may take of its strength from the last place until alpha has fallen to `end`, if slopes go on as
   they do. */
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

/* Of a prospect that is at least NEARBY; infinite ones come first. */
INLINE int level(double prospect)
{
    const double part = (prospect - NEARBY) * (LEVELS / (1.0 - NEARBY));
    return part < LEVELS ? (int)part : LEVELS + (prospect == INFINITY);
}

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

/* The pool for the way to `end`: the support, whoever was called, and those of the best prospects; whether there is
   room for them. */
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

/* What happens next, before alpha falls by `most`: a feature enters, or one leaves, or nothing. */
typedef struct {
    double after, sign;
    ptrdiff_t enters, leaves;
} Event;

INLINE Event next_event(const Homotopy *h, double most, ptrdiff_t left)
{
    const Lasso *s = &h->s;
    Event event = { most, 0.0, -1, -1 };
    for (ptrdiff_t k = 0; k < h->q; k++) {
        if (s->state[k] == INSIDE)
            continue;
        /* Who has just left is at its bound, and goes away from it. */
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

INLINE void advance(Homotopy *h, double fall)
{
    for (ptrdiff_t i = 0; i < h->s.size; i++)
        h->s.coef[h->s.support[i]] += fall * h->s.step[i];
    axpy(h->n, -fall, h->toward, h->residual);
    axpy(h->q, -fall, h->change, h->here);
}

/* A new row of the factor; whether the feature's column is independent of the intercept's and of the support, and there
   is room. */
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

INLINE void pass_knot(Homotopy *h)
{
    h->passed_alphas[h->passed] = h->alpha;
    memcpy(h->passed_residuals + h->passed * h->n, h->residual, (size_t)h->n * sizeof(double));
    h->passed++;
    h->knots++;
}

/* From knot to knot until alpha is `end`, or there were many; 0 where the walk can't go on. */
INLINE int walk(Homotopy *h, double end)
{
    Lasso *s = &h->s;
    ptrdiff_t left = -1;
    int changed = 1;
    while (h->alpha > end || (h->at < h->n_alphas && h->alphas[h->at] >= h->alpha)) {
        /* There is room for the knots at which all features leave after that. */
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

/* The first place is where the first coefficient leaves zero; for no alpha above is any different from that. */
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

/* Solutions for as many alphas as can be had. */
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
