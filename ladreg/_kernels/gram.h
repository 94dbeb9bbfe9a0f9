/* The lasso in Gram form; `gram_burst`, `settle` and `follow` in reference.py are its specification.

   The support lists the features whose coefficient may move, in the order of the Cholesky factor of their Gram matrix,
   which is updated as features enter and leave. The others are at zero or, where there are limits, at a limit.

   Needs: a `Lasso` whose arrays have the lengths that its declaration says. `descend` needs no support. All others need
   `slope` to be the gradient of minus the smooth part at `coef`, distinct features below p in the support, and the
   factor of their Gram matrix. A routine that says more needs more.
   Owns: nothing. The caller allocates all arrays and frees them; no routine allocates.
   Costs are numbers of multiplications, with `size` features in the support. */
#include "cholesky.h"

/* Let in the features whose violation is at least 0.25 of the worst. */
#define NEARLY SPEED(0.25)
/* Run at most 30 epochs of coordinate descent where more than max(ENTERING, SHARE * size) features violate their
   condition after a step. */
#define BURST SPEED(30)
/* Let features in without epochs if at most 10 violate their condition. */
#define ENTERING SPEED(10.0)
/* Let features in without epochs if at most 0.25 times as many as are in the support violate their condition. */
#define SHARE SPEED(0.25)
/* Discard the factor if the epochs changed more than 30 coefficients from or to zero. */
#define CHANGED SPEED(30)

/* A feature outside the support, in it, or outside until the coefficients move again. */
enum { OUTSIDE, INSIDE, RESTING };

typedef struct {
    ptrdiff_t p;               /* number of features: the length of all arrays, but for `gram`, p x p */
    const double *gram, *strength;
    const unsigned char *known; /* whether a feature's row of `gram` is valid; NULL where all rows are */
    int positive;
    const double *lower, *upper; /* limits of the coefficients; NULL where there are none but those of `positive` */
    double *coef, *slope;
    ptrdiff_t *support;        /* its first factor.size entries */
    Factor factor;             /* stride p */
    double *sign;              /* per feature */
    double *step, *solved;     /* per place in the support: Newton step, and L^-1 times its right-hand side */
    double *begin_coef, *begin_slope; /* coefficients and slopes where the steps began */
    double *moved_slope;       /* slopes of the support's features as of the last `move` */
    char *state;               /* OUTSIDE, INSIDE or RESTING per feature */
    int missing;               /* set where a violating feature has no valid row of `gram` */
    int stop_if_many;          /* whether `add_violators` may set `too_many` instead of letting features in */
    int too_many;              /* set where too many features violate their condition */
} Lasso;

/* Whether the row of `gram` of feature j is valid. */
INLINE int is_known(const Lasso *s, ptrdiff_t j) { return !s->known || s->known[j]; }

/* Whether the coefficient of feature j may not change its sign in one step: it is penalised, or must be >= 0. */
INLINE int is_signed(const Lasso *s, ptrdiff_t j) { return s->positive || s->strength[j] > 0.0; }

/* The ends of the interval in which the coefficient of feature j may move while its sign is held: zero for one that is
   signed, and its limits. At an end it leaves the support. */
INLINE double lower_end(const Lasso *s, ptrdiff_t j)
{
    const double limit = s->lower ? s->lower[j] : -INFINITY;
    return is_signed(s, j) && s->sign[j] > 0.0 ? fmax(limit, 0.0) : limit;
}

INLINE double upper_end(const Lasso *s, ptrdiff_t j)
{
    const double limit = s->upper ? s->upper[j] : INFINITY;
    return is_signed(s, j) && s->sign[j] < 0.0 ? fmin(limit, 0.0) : limit;
}

/* Whether a coefficient is neither zero nor at a limit: its feature belongs to the support. */
INLINE int is_inside(const Lasso *s, ptrdiff_t j)
{
    return s->coef[j] != 0.0 && (!s->lower || (s->lower[j] < s->coef[j] && s->coef[j] < s->upper[j]));
}

/* Epochs of coordinate descent over the features with a valid row and a positive diagonal entry, until no coefficient
   changes, at most `n_epochs`; their number is returned. Updates `coef` and `slope`. Costs p + p * (changed
   coefficients) per epoch. */
CLONES static ptrdiff_t descend(Lasso *s, ptrdiff_t n_epochs)
{
    for (ptrdiff_t epoch = 0; epoch < n_epochs; epoch++) {
        int moved = 0;
        for (ptrdiff_t j = 0; j < s->p; j++) {
            const double *products = s->gram + j * s->p;
            if (!is_known(s, j) || !(products[j] > 0.0))
                continue;
            const double z = s->slope[j] + products[j] * s->coef[j];
            double coef = 0.0;
            if (z > s->strength[j])
                coef = (z - s->strength[j]) / products[j];
            else if (z < -s->strength[j] && !s->positive)
                coef = (z + s->strength[j]) / products[j];
            if (s->lower)
                coef = fmin(fmax(coef, s->lower[j]), s->upper[j]);
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

/* Save the coefficients and slopes that `full_gradient` starts from. Costs a copy of 2 p numbers. */
INLINE void begin(Lasso *s)
{
    memcpy(s->begin_coef, s->coef, (size_t)s->p * sizeof(double));
    memcpy(s->begin_slope, s->slope, (size_t)s->p * sizeof(double));
}

/* The slopes of all features, to `slope` and for the support to `moved_slope`, from those that `begin` saved, so that
   rounding does not add up. Needs `begin`, and valid rows of the changed coefficients. Costs p * (changed
   coefficients). */
INLINE void full_gradient(Lasso *s)
{
    const double *rows[4];
    double moves[4];
    int n = 0;
    memcpy(s->slope, s->begin_slope, (size_t)s->p * sizeof(double));
    for (ptrdiff_t j = 0; j < s->p; j++) {
        if (s->coef[j] == s->begin_coef[j])
            continue;
        LADREG_ASSERT(is_known(s, j));
        rows[n] = s->gram + j * s->p;
        moves[n++] = s->begin_coef[j] - s->coef[j];
        if (n == 4) {
            axpy4(s->p, moves[0], moves[1], moves[2], moves[3], rows[0], rows[1], rows[2], rows[3], s->slope);
            n = 0;
        }
    }
    for (int k = 0; k < n; k++)
        axpy(s->p, moves[k], rows[k], s->slope);
    for (ptrdiff_t i = 0; i < s->factor.size; i++)
        s->moved_slope[s->support[i]] = s->slope[s->support[i]];
}

/* Append feature j to the support, if its column does not depend on it; the first `known` entries of the factor's next
   row are solved already. Returns what `append_row` returns. Needs a valid row of `gram`, j not in the support, and
   size < p. Costs size^2 / 2. */
INLINE int append(Lasso *s, ptrdiff_t j, ptrdiff_t known)
{
    const double *products = s->gram + j * s->p;
    const ptrdiff_t size = s->factor.size;
    LADREG_ASSERT(0 <= j && j < s->p && s->state[j] != INSIDE && is_known(s, j));
    for (ptrdiff_t i = known; i < size; i++)
        row(&s->factor, size)[i] = products[s->support[i]];
    const int appended = append_row(&s->factor, known, products[j]);
    if (appended > 0) {
        s->support[size] = j;
        s->state[j] = INSIDE;
        s->moved_slope[j] = s->slope[j];
    }
    return appended;
}

/* Take the k-th feature out of the support and the factor, and let it rest. Needs 0 <= k < size. Costs 2 (size -
   k)^2. */
INLINE void drop(Lasso *s, ptrdiff_t k)
{
    s->state[s->support[k]] = RESTING;
    delete_row(&s->factor, k);
    memmove(s->support + k, s->support + k + 1, (size_t)(s->factor.size - k) * sizeof(ptrdiff_t));
}

/* The largest fraction of `step`, at most `most`, that moves no coefficient to an end of its interval. The place in the
   support of the first that would reach one goes to *where, which must be -1 before, and that end to *end. Costs
   size. */
INLINE double first_crossing(const Lasso *s, double most, ptrdiff_t *where, double *end)
{
    for (ptrdiff_t i = 0; i < s->factor.size; i++) {
        const ptrdiff_t j = s->support[i];
        const double moved = s->coef[j] + most * s->step[i];
        if (!s->lower && (!is_signed(s, j) || s->sign[j] * moved > 0.0))
            continue;
        const double low = lower_end(s, j), high = upper_end(s, j);
        if (low < moved && moved < high)
            continue;
        const double reached = !s->lower ? 0.0 : moved >= high ? high : low;
        const double share = s->step[i] == 0.0 ? 0.0 : (reached - s->coef[j]) / s->step[i];
        if (share < most || *where < 0) {
            most = fmin(most, fmax(share, 0.0));
            *where = i;
            *end = reached;
        }
    }
    return most;
}

/* Move the support's coefficients by the fraction `part` of `step`, and `moved_slope` by the same fraction of the way
   to strength * sign, where the full step leads. `slope` stays. Costs 2 size. */
INLINE void move(Lasso *s, double part)
{
    for (ptrdiff_t i = 0; part > 0.0 && i < s->factor.size; i++) {
        const ptrdiff_t j = s->support[i];
        s->coef[j] += part * s->step[i];
        s->moved_slope[j] -= part * (s->moved_slope[j] - s->strength[j] * s->sign[j]);
    }
}

/* Write to `step` the combination of the support's columns that is nearest to column j, which depends on them. Columns
   whose part in it is at most sqrt(RANK) of the length of column j are left out: a distance as short as that counts as
   zero. Needs j's row of the factor as `append` left it. Costs size^2 / 2. */
INLINE void null_direction(Lasso *s, ptrdiff_t j)
{
    const double least = sqrt(RANK) * sqrt(s->gram[j * s->p + j]);
    memcpy(s->step, row(&s->factor, s->factor.size), (size_t)s->factor.size * sizeof(double));
    backward_solve(&s->factor, s->step);
    for (ptrdiff_t i = 0; i < s->factor.size; i++) {
        const ptrdiff_t k = s->support[i];
        if (fabs(s->step[i]) * sqrt(s->gram[k * s->p + k]) <= least)
            s->step[i] = 0.0;
    }
}

/* Move coef[j] and the support along a direction that changes the fit by rounding only and does not raise the penalty,
   until the first coefficient reaches an end of its interval. Returns whether a feature left the support, so that j may
   enter; coef[j] may be what reached an end. Needs sign[j], and j's row of the factor as `append` left it. Costs size^2, and
   `full_gradient`. */
INLINE int move_along_null_direction(Lasso *s, ptrdiff_t j)
{
    null_direction(s, j);
    const int turns = is_inside(s, j);
    double along = s->sign[j], rate = s->strength[j] * s->sign[j] - s->slope[j];
    for (ptrdiff_t i = 0; i < s->factor.size; i++) {
        const ptrdiff_t k = s->support[i];
        rate -= s->step[i] * (s->strength[k] * s->sign[k] - s->slope[k]);
    }
    if (s->lower && s->coef[j] != 0.0 && !turns)
        along = s->coef[j] <= s->lower[j] ? 1.0 : -1.0;
    rate *= along;
    if (rate > 0.0 && turns) {
        along = -along;
        rate = -rate;
    }
    if (!(rate < 0.0 || (turns && (is_signed(s, j) || s->lower))))
        return 0;
    /* coef[j] may be the first to reach an end. */
    const double own = along > 0.0 ? upper_end(s, j) : lower_end(s, j);
    double most = fabs(own - s->coef[j]), end = 0.0;
    ptrdiff_t where = -1;
    for (ptrdiff_t i = 0; i < s->factor.size; i++) {
        const ptrdiff_t k = s->support[i];
        s->step[i] *= -along;
        if (!s->lower && !(is_signed(s, k) && s->sign[k] * s->step[i] < 0.0))
            continue;
        const double reached = s->step[i] > 0.0 ? upper_end(s, k) : lower_end(s, k);
        if (s->step[i] != 0.0 && fabs(reached - s->coef[k]) < most * fabs(s->step[i])) {
            most = fabs((reached - s->coef[k]) / s->step[i]);
            where = i;
            end = reached;
        }
    }
    if (isinf(most))
        return 0;
    for (ptrdiff_t i = 0; i < s->factor.size; i++)
        s->coef[s->support[i]] += most * s->step[i];
    s->coef[j] = where < 0 ? own : s->coef[j] + most * along;
    if (where >= 0) {
        s->coef[s->support[where]] = end;
        drop(s, where);
    }
    full_gradient(s);
    return where >= 0;
}

/* Let in feature j, whose row of the factor is solved up to entry `known`; while its column depends on the support,
   move along null directions until a feature leaves. Its state becomes INSIDE, or RESTING where it cannot enter.
   Returns whether a feature left. Needs what `append` needs. Costs size^2 without such moves. */
INLINE int enter(Lasso *s, ptrdiff_t j, ptrdiff_t known)
{
    int dropped = 0;
    while (append(s, j, known) == 0 && s->factor.size > 0) {
        if (!move_along_null_direction(s, j))
            break;
        dropped = 1;
        known = 0;
    }
    /* Also where a number is NaN, so that `add_violators` ends. */
    if (s->state[j] != INSIDE)
        s->state[j] = RESTING;
    return dropped;
}

/* By how much a coefficient between its limits would lower the objective per unit, moved up or down. */
INLINE double limited_violation(const Lasso *s, ptrdiff_t j)
{
    const double coef = s->coef[j], strength = s->strength[j];
    const double up = s->slope[j] - (coef < 0.0 ? -strength : strength);
    const double down = (coef > 0.0 ? strength : -strength) - s->slope[j];
    return fmax(coef < s->upper[j] ? up : -INFINITY, coef > s->lower[j] ? down : -INFINITY);
}

/* By how much the slope of a feature outside exceeds its strength; 0 for other features and for columns of zeros. */
INLINE double violation(const Lasso *s, ptrdiff_t j)
{
    if (s->state[j] != OUTSIDE || (is_known(s, j) && !(s->gram[j * s->p + j] > 0.0)))
        return 0.0;
    if (s->lower)
        return limited_violation(s, j);
    return (s->positive ? s->slope[j] : fabs(s->slope[j])) - s->strength[j];
}

/* Features to be let in together. */
typedef struct {
    int n;
    ptrdiff_t features[BATCH];
} Queue;

/* Let in the features of the queue one after the other, as many as the factor has room for, and empty the queue.
   Returns whether any of them entered. Their rows of the factor are solved together; once a feature was dropped, the
   rows of those behind it are solved anew. Needs valid rows of `gram`. Costs n size^2. */
INLINE int enter_all(Lasso *s, Queue *queue)
{
    Factor *f = &s->factor;
    const ptrdiff_t size = f->size;
    const int n = size + queue->n > s->p ? (int)(s->p - size) : queue->n;
    int as_solved = 1, entered = 0;
    for (int k = 0; k < n; k++)
        for (ptrdiff_t i = 0; i < size; i++)
            row(f, size + k)[i] = s->gram[queue->features[k] * s->p + s->support[i]];
    solve_rows(f, n);
    for (int k = 0; k < n; k++) {
        if (as_solved && f->size < size + k)
            memcpy(row(f, f->size), row(f, size + k), (size_t)size * sizeof(double));
        as_solved &= !enter(s, queue->features[k], as_solved ? size : 0);
    }
    for (int k = 0; k < queue->n; k++)
        entered |= s->state[queue->features[k]] == INSIDE;
    queue->n = 0;
    return entered;
}

/* Queue feature j, and let the features of the queue in once it is full. Returns whether any of them entered. */
INLINE int enqueue(Lasso *s, Queue *queue, ptrdiff_t j)
{
    LADREG_ASSERT(0 <= queue->n && queue->n < BATCH);
    queue->features[queue->n++] = j;
    return queue->n == BATCH && enter_all(s, queue);
}

/* Let in the features whose violation is at least NEARLY of the worst; whether any entered. None enters where no
   violation exceeds `tolerance`, the row of such a feature is missing, or too many features violate their condition.
   Costs p, and size^2 per feature. */
INLINE int add_violators(Lasso *s, double tolerance)
{
    Queue queue = { .n = 0 };
    for (;;) {
        double worst = 0.0;
        ptrdiff_t number = 0;
        for (ptrdiff_t j = 0; j < s->p; j++) {
            const double excess = violation(s, j);
            worst = fmax(worst, excess);
            number += excess > tolerance;
        }
        if (!(worst > fmax(tolerance, 0.0)))
            return 0;
        s->too_many = s->stop_if_many && (double)number > fmax(ENTERING, SHARE * (double)s->factor.size);
        for (ptrdiff_t j = 0; j < s->p && !s->too_many; j++)
            s->missing |= !is_known(s, j) && violation(s, j) >= NEARLY * worst;
        if (s->too_many || s->missing)
            return 0;
        int entered = 0;
        for (ptrdiff_t j = 0; j < s->p; j++)
            if (violation(s, j) >= NEARLY * worst) {
                s->sign[j] = (s->coef[j] != 0.0 ? s->coef[j] : s->slope[j]) > 0.0 ? 1.0 : -1.0;
                entered |= enqueue(s, &queue, j);
            }
        entered |= enter_all(s, &queue);
        if (entered || s->factor.size == s->p)
            return entered;
    }
}

/* Set signs and states for the present coefficients and slopes, and let in the coefficients that are neither zero nor
   at a limit and that the factor lacks. Costs p, and size^2 per feature. */
INLINE void enter_nonzeros(Lasso *s)
{
    Queue queue = { .n = 0 };
    for (ptrdiff_t j = 0; j < s->p; j++) {
        /* A coefficient of zero in the support has the sign of its slope; coefficients >= 0 have one sign only. */
        const double side = s->coef[j] == 0.0 ? s->slope[j] : s->coef[j];
        s->sign[j] = side < 0.0 && !s->positive ? -1.0 : 1.0;
        s->state[j] = OUTSIDE;
        s->moved_slope[j] = s->slope[j];
    }
    for (ptrdiff_t i = 0; i < s->factor.size; i++)
        s->state[s->support[i]] = INSIDE;
    for (ptrdiff_t j = 0; j < s->p; j++)
        if (is_inside(s, j) && s->state[j] != INSIDE)
            enqueue(s, &queue, j);
    enter_all(s, &queue);
}

/* Newton steps on the support until every condition holds to `tolerance`, at most `max_steps`. Their number is
   returned: where below `max_steps`, all conditions hold, or `missing` or `too_many` is set. Needs `begin`, and valid
   rows of nonzero coefficients. Costs size^2 per step, and `full_gradient` and `add_violators` after a full step. */
CLONES static ptrdiff_t active_set_steps(Lasso *s, ptrdiff_t max_steps, double tolerance)
{
    Factor *f = &s->factor;
    ptrdiff_t known = 0; /* entries of `solved` that are solved already */
    LADREG_ASSERT(f->stride == s->p && 0 <= f->size && f->size <= s->p);
    enter_nonzeros(s);
    for (ptrdiff_t steps = 0; steps < max_steps; steps++) {
        /* 1. Step towards the minimum with the signs held fixed, up to the first end of an interval. */
        for (ptrdiff_t i = known; i < f->size; i++) {
            const ptrdiff_t j = s->support[i];
            s->solved[i] = s->moved_slope[j] - s->strength[j] * s->sign[j];
        }
        forward_solve(f, known, s->solved);
        memcpy(s->step, s->solved, (size_t)f->size * sizeof(double));
        backward_solve(f, s->step);
        ptrdiff_t where = -1;
        double end = 0.0;
        const double part = first_crossing(s, 1.0, &where, &end);
        move(s, part);
        /* 2. A feature whose coefficient reached an end leaves, and rests until the coefficients move again. */
        if (part > 0.0)
            for (ptrdiff_t j = 0; j < s->p; j++)
                s->state[j] = s->state[j] == RESTING ? OUTSIDE : s->state[j];
        if (where >= 0) {
            s->coef[s->support[where]] = end;
            drop(s, where);
            /* Rows of the factor before `where` stay; their right-hand side shrinks by the factor 1 - part. */
            known = where;
            for (ptrdiff_t i = 0; i < known; i++)
                s->solved[i] *= 1.0 - part;
            continue;
        }
        /* 3. After a full step the features that violate their condition enter. */
        known = 0;
        full_gradient(s);
        if (!add_violators(s, tolerance))
            return steps + 1;
    }
    full_gradient(s);
    return max_steps;
}

/* `active_set_steps` from the present coefficients and slopes, however many features violate their condition. Needs
   valid rows of all features. Costs what `active_set_steps` costs. */
static ptrdiff_t settle(Lasso *s, ptrdiff_t max_steps, double tolerance)
{
    s->stop_if_many = s->too_many = s->missing = 0;
    begin(s);
    return active_set_steps(s, max_steps, tolerance);
}

/* Multiples of one penalty, and the solution for each. */
typedef struct {
    ptrdiff_t n, at, used;     /* number of penalties; the present penalty; epochs and steps spent on it */
    const double *alphas, *unit; /* n multiples; p strengths at alpha = 1 */
    double *strength;          /* p strengths of the present penalty */
    double *coefs, *slopes;    /* n x p */
    ptrdiff_t *n_steps, *done; /* n each */
} Sequence;

/* Settle most signs by at most BURST epochs of coordinate descent, whose number is returned. Updates `coef` and
   `slope`, overwrites `state`, and empties the support if more than CHANGED coefficients came to zero or a limit, or left
   it. Needs `begin`. Costs what `descend` and `full_gradient` cost. */
INLINE ptrdiff_t settle_signs(Lasso *s, ptrdiff_t max_epochs)
{
    ptrdiff_t changed = 0;
    for (ptrdiff_t j = 0; j < s->p; j++)
        s->state[j] = (char)is_inside(s, j);
    const ptrdiff_t epochs = descend(s, max_epochs < BURST ? max_epochs : BURST);
    for (ptrdiff_t j = 0; j < s->p; j++)
        changed += s->state[j] != is_inside(s, j);
    if (changed > CHANGED)
        s->factor.size = 0;
    full_gradient(s);
    return epochs;
}

/* Solve for the penalties from q->at on, each from the solution before, in about `budget` epochs and steps; stop where
   a row is missing. Conditions hold to `rounding` times the largest slope, since strengths may be larger by any factor.
   Needs s->strength == q->strength. Costs what `active_set_steps` costs, and 2 p per penalty. */
CLONES static void follow(Lasso *s, Sequence *q, ptrdiff_t max_steps, ptrdiff_t budget, double rounding)
{
    const size_t bytes = (size_t)s->p * sizeof(double);
    LADREG_ASSERT(s->strength == q->strength && 0 <= q->at);
    for (; q->at < q->n && budget > 0; q->at++, q->used = 0) {
        double largest = 0.0;
        begin(s);
        for (ptrdiff_t j = 0; j < s->p; j++) {
            q->strength[j] = q->alphas[q->at] * q->unit[j];
            largest = fmax(largest, fabs(s->slope[j]));
        }
        const ptrdiff_t left = max_steps - q->used;
        ptrdiff_t limit = left < budget ? left : budget;
        s->stop_if_many = q->used == 0;
        s->missing = s->too_many = 0;
        ptrdiff_t steps = limit > 0 ? active_set_steps(s, limit, rounding * largest) : 0;
        int done = steps < limit, finite = 1;
        if (s->too_many) {
            s->stop_if_many = 0;
            steps += settle_signs(s, left - steps);
            limit = left - steps < budget ? left - steps : budget;
            const ptrdiff_t more = limit > 0 ? active_set_steps(s, limit, rounding * largest) : 0;
            done = more < limit;
            steps += more;
        }
        done &= !s->missing;
        for (ptrdiff_t j = 0; j < s->p; j++)
            finite &= isfinite(s->coef[j]) && isfinite(s->slope[j]);
        if (!finite) {
            memcpy(s->coef, s->begin_coef, bytes);
            memcpy(s->slope, s->begin_slope, bytes);
            s->factor.size = done = 0;
        }
        q->used += steps;
        budget -= steps > 0 ? steps : 1;
        if (!done && finite && q->used < max_steps)
            return;
        memcpy(q->coefs + q->at * s->p, s->coef, bytes);
        memcpy(q->slopes + q->at * s->p, s->slope, bytes);
        q->n_steps[q->at] = q->used;
        q->done[q->at] = done;
        s->missing = 0;
    }
}
