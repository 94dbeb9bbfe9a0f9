/* The lasso in Gram form; `gram_burst` and `settle` in reference.py are its specification.

   `support` lists the features that may be different from zero, and `factor` is the lower triangle of the Cholesky
   factor of their Gram matrix, kept up to date as features come and go. */
#include <stdlib.h>
#include <string.h>
#include "compiler.h"

/* A pivot below this part of the diagonal is that of a dependent column. */
#define RANK 1e-12
/* Features enter together when they violate their condition by at least this part of the worst violation. */
#define NEARLY 0.5

typedef struct {
    ptrdiff_t p, size;         /* features, and those in the support */
    const double *gram, *strength;
    double *coef, *slope;      /* slope: gradient of minus the smooth part */
    ptrdiff_t *support;
    double *factor;            /* p x p */
    double *sign, *step;
    char *state;               /* what is known of each feature */
    int positive;
} Lasso;

/* Epochs of coordinate descent until nothing moves, `n_epochs` at most; the number of those done. */
CLONES static ptrdiff_t descend(Lasso *s, ptrdiff_t n_epochs)
{
    for (ptrdiff_t epoch = 0; epoch < n_epochs; epoch++) {
        int moved = 0;
        for (ptrdiff_t j = 0; j < s->p; j++) {
            const double *products = s->gram + j * s->p;
            if (!(products[j] > 0.0))
                continue;
            const double z = s->slope[j] + products[j] * s->coef[j];
            double coef = 0.0;
            if (z > s->strength[j])
                coef = (z - s->strength[j]) / products[j];
            else if (z < -s->strength[j] && !s->positive)
                coef = (z + s->strength[j]) / products[j];
            if (coef != s->coef[j]) {
                moved = 1;
                axpy(s->p, s->coef[j] - coef, products, s->slope);
                s->coef[j] = coef;
            }
        }
        if (!moved)
            return epoch + 1;
    }
    return n_epochs;
}

enum { OUTSIDE, INSIDE, RESTING };

INLINE int is_signed(const Lasso *s, ptrdiff_t j) { return s->positive || s->strength[j] > 0.0; }

INLINE double *row(const Lasso *s, ptrdiff_t i) { return s->factor + i * s->p; }

/* L x = x */
INLINE void forward_solve(const Lasso *s, double *x)
{
    for (ptrdiff_t i = 0; i < s->size; i++)
        x[i] = (x[i] - dot(i, row(s, i), x)) / row(s, i)[i];
}

/* L' x = x */
INLINE void backward_solve(const Lasso *s, double *x)
{
    for (ptrdiff_t i = s->size - 1; i >= 0; i--) {
        x[i] /= row(s, i)[i];
        axpy(i, -x[i], row(s, i), x);
    }
}

/* A new last row of the factor; the pivot relative to the diagonal. The feature is inside if that is large enough. */
INLINE double append(Lasso *s, ptrdiff_t j)
{
    const double *products = s->gram + j * s->p;
    double *last = row(s, s->size);
    for (ptrdiff_t i = 0; i < s->size; i++)
        last[i] = products[s->support[i]];
    forward_solve(s, last);
    const double pivot = products[j] - dot(s->size, last, last);
    if (pivot > RANK * products[j]) {
        last[s->size] = sqrt(pivot);
        s->support[s->size++] = j;
        s->state[j] = INSIDE;
    }
    return products[j] > 0.0 ? pivot / products[j] : 0.0;
}

/* Take the k-th feature out of the factor: its row goes, and rotations make a triangle of the rows behind it. */
INLINE void drop(Lasso *s, ptrdiff_t k, double *cosine, double *sine)
{
    s->state[s->support[k]] = RESTING;
    for (ptrdiff_t i = k; i + 1 < s->size; i++) {
        double *to = row(s, i), *from = row(s, i + 1);
        s->support[i] = s->support[i + 1];
        memcpy(to, from, (size_t)k * sizeof(double));
        double carried = from[k];
        for (ptrdiff_t m = k; m < i; m++) {
            to[m] = cosine[m] * carried + sine[m] * from[m + 1];
            carried = cosine[m] * from[m + 1] - sine[m] * carried;
        }
        const double length = sqrt(carried * carried + from[i + 1] * from[i + 1]);
        cosine[i] = carried / length;
        sine[i] = from[i + 1] / length;
        to[i] = length;
    }
    s->size--;
}

/* The largest part (at most 1) of `step` that changes no sign, and the place in the support where one would change. */
INLINE double first_crossing(const Lasso *s, double most, ptrdiff_t *where)
{
    for (ptrdiff_t i = 0; i < s->size; i++) {
        const ptrdiff_t j = s->support[i];
        if (!is_signed(s, j) || s->sign[j] * (s->coef[j] + most * s->step[i]) > 0.0)
            continue;
        const double share = s->step[i] == 0.0 ? 0.0 : -s->coef[j] / s->step[i];
        if (share < most || *where < 0) {
            most = fmin(most, fmax(share, 0.0));
            *where = i;
        }
    }
    return most;
}

INLINE void move(Lasso *s, double part)
{
    for (ptrdiff_t i = 0; part > 0.0 && i < s->size; i++) {
        const ptrdiff_t j = s->support[i];
        s->coef[j] += part * s->step[i];
        axpy(s->p, -part * s->step[i], s->gram + j * s->p, s->slope);
    }
}

/* Slide along dependent columns, which changes the fit by rounding only, as long as the penalty falls.

   Returns whether a feature left the support, so that j may enter; j itself may have become zero. */
INLINE int slide(Lasso *s, ptrdiff_t j, double *cosine, double *sine)
{
    memcpy(s->step, row(s, s->size), (size_t)s->size * sizeof(double));
    backward_solve(s, s->step);
    double along = s->sign[j], rate = s->strength[j] * s->sign[j] - s->slope[j];
    for (ptrdiff_t i = 0; i < s->size; i++) {
        const ptrdiff_t k = s->support[i];
        rate -= s->step[i] * (s->strength[k] * s->sign[k] - s->slope[k]);
    }
    rate *= along;
    if (rate > 0.0 && s->coef[j] != 0.0) {
        along = -along;
        rate = -rate;
    }
    if (!(rate < 0.0 || (s->coef[j] != 0.0 && is_signed(s, j))))
        return 0;
    /* A feature with a coefficient of its own may be the first to become zero. */
    double most = along * s->coef[j] < 0.0 && is_signed(s, j) ? fabs(s->coef[j]) : INFINITY;
    ptrdiff_t where = -1;
    for (ptrdiff_t i = 0; i < s->size; i++) {
        const ptrdiff_t k = s->support[i];
        s->step[i] *= -along;
        if (is_signed(s, k) && s->sign[k] * s->step[i] < 0.0 && fabs(s->coef[k]) < most * fabs(s->step[i])) {
            most = fabs(s->coef[k] / s->step[i]);
            where = i;
        }
    }
    if (isinf(most))
        return 0;
    move(s, most);
    s->coef[j] += most * along;
    axpy(s->p, -most * along, s->gram + j * s->p, s->slope);
    if (where < 0) {
        s->coef[j] = 0.0;
        return 0;
    }
    s->coef[s->support[where]] = 0.0;
    drop(s, where, cosine, sine);
    return 1;
}

INLINE void enter(Lasso *s, ptrdiff_t j, double *cosine, double *sine)
{
    while (append(s, j) <= RANK && s->size > 0)
        if (!slide(s, j, cosine, sine))
            break;
    /* Also where a number is not finite, so that recruiting ends. */
    if (s->state[j] != INSIDE)
        s->state[j] = RESTING;
}

INLINE double violation(const Lasso *s, ptrdiff_t j)
{
    if (s->state[j] != OUTSIDE || !(s->gram[j * s->p + j] > 0.0))
        return 0.0;
    return (s->positive ? s->slope[j] : fabs(s->slope[j])) - s->strength[j];
}

/* Let in the features that violate their condition most; whether there were any. */
INLINE int recruit(Lasso *s, double tolerance, double *cosine, double *sine)
{
    for (;;) {
        double worst = 0.0;
        for (ptrdiff_t j = 0; j < s->p; j++)
            worst = fmax(worst, violation(s, j));
        if (!(worst > fmax(tolerance, 0.0)))
            return 0;
        int entered = 0;
        for (ptrdiff_t j = 0; j < s->p && s->size < s->p; j++)
            if (violation(s, j) >= NEARLY * worst) {
                s->sign[j] = s->slope[j] > 0.0 ? 1.0 : -1.0;
                enter(s, j, cosine, sine);
                entered |= s->state[j] == INSIDE;
            }
        if (entered)
            return 1;
    }
}

/* Steps until every condition holds to `tolerance`; fewer than `max_steps` were enough if all do. */
CLONES static ptrdiff_t settle(Lasso *s, ptrdiff_t max_steps, double tolerance, double *cosine, double *sine)
{
    const ptrdiff_t given = s->size;
    for (ptrdiff_t j = 0; j < s->p; j++) {
        s->sign[j] = s->coef[j] < 0.0 ? -1.0 : 1.0;
        s->state[j] = OUTSIDE;
    }
    for (ptrdiff_t i = 0; i < given; i++)
        s->state[s->support[i]] = INSIDE;
    for (ptrdiff_t j = 0; j < s->p; j++)
        if (s->coef[j] != 0.0 && s->state[j] != INSIDE)
            enter(s, j, cosine, sine);
    for (ptrdiff_t steps = 0; steps < max_steps; steps++) {
        /* 1. The minimum with the signs as they are, and the way there as far as they stay so. */
        for (ptrdiff_t i = 0; i < s->size; i++) {
            const ptrdiff_t j = s->support[i];
            s->step[i] = s->slope[j] - s->strength[j] * s->sign[j];
        }
        forward_solve(s, s->step);
        backward_solve(s, s->step);
        ptrdiff_t where = -1;
        const double part = first_crossing(s, 1.0, &where);
        move(s, part);
        /* 2. What became zero leaves, and waits for the next move before it may come back. */
        if (part > 0.0)
            for (ptrdiff_t j = 0; j < s->p; j++)
                s->state[j] = s->state[j] == RESTING ? OUTSIDE : s->state[j];
        if (where >= 0) {
            s->coef[s->support[where]] = 0.0;
            drop(s, where, cosine, sine);
            continue;
        }
        /* 3. Who violates its condition comes in. */
        if (!recruit(s, tolerance, cosine, sine))
            return steps + 1;
    }
    return max_steps;
}
