/* The lasso in Gram form; `gram_burst`, `settle` and `follow` in reference.py are its specification.

   `support` lists the features whose coefficient may differ from zero; `factor` is the lower triangle of the Cholesky
   factor of their Gram matrix, updated as features enter and leave. Costs are numbers of multiplications. */
#include <stdlib.h>
#include <string.h>
#include "compiler.h"

/* A column depends on the support if its pivot is at most 1e-12 of its diagonal entry of the Gram matrix. */
#define RANK 1e-12
/* In a dependent column ignore the share of a column of the support if it is at most 1e-6 of the dependent column's
   length: pivots as small as RANK magnify rounding to such shares. */
#define PART 1e-6
/* Let in the features whose violation is at least 0.25 of the worst. */
#define NEARLY 0.25
/* Let in 4 features at a time, which share one read of the factor. */
#define MANY 4
/* Run at most 30 epochs of coordinate descent where more than max(ENTERING, SHARE * size) features violate their
   condition after a step. */
#define BURST 30
/* Let features in without epochs if at most 10 violate their condition. */
#define ENTERING 10.0
/* Let features in without epochs if at most 0.25 times as many as are in the support violate their condition. */
#define SHARE 0.25
/* Discard the factor if the epochs changed more than 30 coefficients from or to zero. */
#define CHANGED 30

typedef struct {
    ptrdiff_t p, size;         /* number of features, which is the row length of `factor`; size of the support */
    const double *gram, *strength;
    double *coef, *slope;      /* slope: gradient of minus the smooth part, which `move` leaves as it is */
    ptrdiff_t *support;
    double *factor;            /* p x p, the lower triangle of its first `size` rows */
    double *sign, *step, *half; /* sign per feature; step per place in the support; half: L^-1 of its right-hand side */
    double *begin, *begin_slope; /* coefficients and slopes where the steps began */
    double *here;              /* slopes of the support's features as of the last `move` */
    char *state;               /* OUTSIDE, INSIDE or RESTING per feature */
    unsigned char *known;      /* whether a feature's row of `gram` is valid; NULL where all rows are */
    double *rows;              /* `gram`, for writing missing rows */
    const double *columns;     /* columns whose products are `gram`, `length` numbers per feature; NULL if not given */
    ptrdiff_t length;
    int positive;
    int dropped;               /* whether a feature has left the support since `enter_all` reset this flag */
    int missing;               /* whether a violating feature has no valid row of `gram` */
    int patient;               /* whether `recruit` may set `crowded` instead of letting features in */
    int crowded;               /* set by `recruit` where too many features violate their condition */
} Lasso;

/* Whether the row of `gram` of feature j is valid. */
INLINE int is_known(const Lasso *s, ptrdiff_t j) { return !s->known || s->known[j]; }

/* Epochs of coordinate descent over the features with a valid row and a positive diagonal entry, until no coefficient
   changes, at most `n_epochs`; their number is returned. Needs `slope` to be that of `coef`, and updates both.
   O(p + p * changed coefficients) per epoch. */
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

/* Features to be let in together. */
typedef struct {
    int n;
    ptrdiff_t features[MANY];
} Waiting;

/* Whether the coefficient of feature j may not change its sign in one step: it is penalised, or must be >= 0. */
INLINE int is_signed(const Lasso *s, ptrdiff_t j) { return s->positive || s->strength[j] > 0.0; }

/* The i-th row of the factor. */
INLINE double *row(const Lasso *s, ptrdiff_t i) { return s->factor + i * s->p; }

/* Solve L z = x for the factor L, z in place of x; the first `known` entries of x are those of z already.
   O((size^2 - known^2) / 2). */
INLINE void forward_solve(const Lasso *s, ptrdiff_t known, double *x)
{
    ptrdiff_t i = known;
    for (; i + 4 <= s->size; i += 4) {
        double part[4];
        dot4(i, row(s, i), row(s, i + 1), row(s, i + 2), row(s, i + 3), x, part);
        for (ptrdiff_t k = i; k < i + 4; k++) {
            double rest = x[k] - part[k - i];
            for (ptrdiff_t m = i; m < k; m++)
                rest -= row(s, k)[m] * x[m];
            x[k] = rest / row(s, k)[k];
        }
    }
    for (; i < s->size; i++)
        x[i] = (x[i] - dot(i, row(s, i), x)) / row(s, i)[i];
}

/* Solve L' z = x, z in place of x. O(size^2 / 2). */
INLINE void backward_solve(const Lasso *s, double *x)
{
    ptrdiff_t i = s->size;
    for (; i >= 4; i -= 4) {
        for (ptrdiff_t k = i - 1; k >= i - 4; k--) {
            x[k] /= row(s, k)[k];
            for (ptrdiff_t m = i - 4; m < k; m++)
                x[m] -= x[k] * row(s, k)[m];
        }
        axpy4(i - 4, -x[i - 1], -x[i - 2], -x[i - 3], -x[i - 4],
              row(s, i - 1), row(s, i - 2), row(s, i - 3), row(s, i - 4), x);
    }
    for (i--; i >= 0; i--) {
        x[i] /= row(s, i)[i];
        axpy(i, -x[i], row(s, i), x);
    }
}

/* Save the coefficients and slopes that `look` starts from. O(p). */
INLINE void begin(Lasso *s)
{
    memcpy(s->begin, s->coef, (size_t)s->p * sizeof(double));
    memcpy(s->begin_slope, s->slope, (size_t)s->p * sizeof(double));
}

/* The slopes of all features, to `slope` and for the support to `here`, computed from those that `begin` saved, so that
   rounding does not add up. Needs valid rows of the changed coefficients. O(p * changed coefficients). */
INLINE void look(Lasso *s)
{
    const double *rows[4];
    double moves[4];
    int n = 0;
    memcpy(s->slope, s->begin_slope, (size_t)s->p * sizeof(double));
    for (ptrdiff_t j = 0; j < s->p; j++) {
        if (s->coef[j] == s->begin[j])
            continue;
        rows[n] = s->gram + j * s->p;
        moves[n++] = s->begin[j] - s->coef[j];
        if (n == 4) {
            axpy4(s->p, moves[0], moves[1], moves[2], moves[3], rows[0], rows[1], rows[2], rows[3], s->slope);
            n = 0;
        }
    }
    for (int k = 0; k < n; k++)
        axpy(s->p, moves[k], rows[k], s->slope);
    for (ptrdiff_t i = 0; i < s->size; i++)
        s->here[s->support[i]] = s->slope[s->support[i]];
}

/* Let in feature j, whose products with the support are in the factor's row `size`, the first `known` entries solved
   already; `square` is its diagonal entry. Needs size < p. Solves the row in place, and appends j if its pivot is above
   RANK * square. Returns pivot / square. O(size^2 / 2). */
INLINE double close_row(Lasso *s, ptrdiff_t j, ptrdiff_t known, double square)
{
    double *last = row(s, s->size);
    forward_solve(s, known, last);
    const double pivot = square - dot(s->size, last, last);
    if (pivot > RANK * square) {
        last[s->size] = sqrt(pivot);
        s->support[s->size++] = j;
        s->state[j] = INSIDE;
    }
    return square > 0.0 ? pivot / square : 0.0;
}

/* The same for a feature whose row of `gram` is valid: its entries from `known` on are written to the factor's row
   first, and its slope to `here`. O(size^2 / 2). */
INLINE double append(Lasso *s, ptrdiff_t j, ptrdiff_t known)
{
    const double *products = s->gram + j * s->p;
    for (ptrdiff_t i = known; i < s->size; i++)
        row(s, s->size)[i] = products[s->support[i]];
    const double pivot = close_row(s, j, known, products[j]);
    if (s->state[j] == INSIDE)
        s->here[j] = s->slope[j];
    return pivot;
}

/* Apply the rotations begin .. end - 1 to the rows i + 1 .. i + 4 of the factor, which move up by one row; `carried` is
   the entry of each row that the rotation before left over. O(16 (end - begin)). */
INLINE void turn4(const Lasso *s, ptrdiff_t i, ptrdiff_t begin, ptrdiff_t end, const double *restrict cosine,
                  const double *restrict sine, double *restrict carried)
{
    double *r0 = row(s, i), *r1 = row(s, i + 1), *r2 = row(s, i + 2), *r3 = row(s, i + 3);
    const double *r4 = row(s, i + 4);
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

/* Move row i + 1 of the factor up to row i: apply the rotations begin .. i - 1, `carried` being the entry that the
   rotation before left over, and make rotation i, which removes the row's last entry. O(4 (i - begin)). */
INLINE void turn(const Lasso *s, ptrdiff_t i, ptrdiff_t begin, double carried, double *cosine, double *sine)
{
    double *to = row(s, i);
    const double *from = row(s, i + 1);
    for (ptrdiff_t m = begin; m < i; m++) {
        to[m] = cosine[m] * carried + sine[m] * from[m + 1];
        carried = cosine[m] * from[m + 1] - sine[m] * carried;
    }
    const double length = sqrt(carried * carried + from[i + 1] * from[i + 1]);
    cosine[i] = carried / length;
    sine[i] = from[i + 1] / length;
    to[i] = length;
}

/* Take the k-th feature of the support out of it and of the factor: delete its row, and rotate the rows behind it to a
   triangle, four at once since each entry of a row waits for the one before. Sets its state to RESTING, and `dropped`;
   `cosine` and `sine` are work space of `size` numbers each. O(2 (size - k)^2). */
INLINE void drop(Lasso *s, ptrdiff_t k, double *cosine, double *sine)
{
    s->state[s->support[k]] = RESTING;
    s->dropped = 1;
    s->size--;
    for (ptrdiff_t i = k; i < s->size; i += 4) {
        const ptrdiff_t n = s->size - i < 4 ? s->size - i : 4;
        double carried[4];
        for (ptrdiff_t m = 0; m < n; m++) {
            s->support[i + m] = s->support[i + m + 1];
            memcpy(row(s, i + m), row(s, i + m + 1), (size_t)k * sizeof(double));
            carried[m] = row(s, i + m + 1)[k];
        }
        if (n == 4)
            turn4(s, i, k, i, cosine, sine, carried);
        for (ptrdiff_t m = 0; m < n; m++)
            turn(s, i + m, n == 4 ? i : k, carried[m], cosine, sine);
    }
}

/* The largest fraction of `step`, at most `most`, that changes the sign of no signed coefficient. The place in the
   support of the first that would change goes to *where, which must be -1 before. O(size). */
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

/* Move the support's coefficients by the fraction `part` of `step`, and `here` by the same fraction of the way to
   strength * sign, where the full step leads. `slope` stays. O(size). */
INLINE void move(Lasso *s, double part)
{
    for (ptrdiff_t i = 0; part > 0.0 && i < s->size; i++) {
        const ptrdiff_t j = s->support[i];
        s->coef[j] += part * s->step[i];
        s->here[j] -= part * (s->here[j] - s->strength[j] * s->sign[j]);
    }
}

/* Move coef[j] and the support along a direction that changes the fit by rounding only and does not raise the penalty,
   until the first signed coefficient becomes zero. Needs sign[j], and j's row of the factor as `append` left it.
   Returns whether a feature left the support, so that j may enter; coef[j] may be what became zero. O(size^2), and
   `look`. */
INLINE int slide(Lasso *s, ptrdiff_t j, double *cosine, double *sine)
{
    memcpy(s->step, row(s, s->size), (size_t)s->size * sizeof(double));
    backward_solve(s, s->step);
    /* Ignore columns whose share is rounding. */
    const double least = PART * sqrt(s->gram[j * s->p + j]);
    for (ptrdiff_t i = 0; i < s->size; i++) {
        const ptrdiff_t k = s->support[i];
        if (fabs(s->step[i]) * sqrt(s->gram[k * s->p + k]) <= least)
            s->step[i] = 0.0;
    }
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
    /* coef[j] may be the first to become zero. */
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
    for (ptrdiff_t i = 0; i < s->size; i++)
        s->coef[s->support[i]] += most * s->step[i];
    s->coef[j] = where < 0 ? 0.0 : s->coef[j] + most * along;
    if (where >= 0) {
        s->coef[s->support[where]] = 0.0;
        drop(s, where, cosine, sine);
    }
    look(s);
    return where >= 0;
}

/* Let in feature j, whose row of the factor is solved up to entry `known`; while its column depends on the support,
   slide until a feature leaves. Sets its state to INSIDE or, where it can't enter, RESTING. O(size^2) without
   slides. */
INLINE void enter(Lasso *s, ptrdiff_t j, ptrdiff_t known, double *cosine, double *sine)
{
    while (append(s, j, known) <= RANK && s->size > 0) {
        if (!slide(s, j, cosine, sine))
            break;
        known = 0;
    }
    /* Also where a number is not finite, so that `recruit` ends. */
    if (s->state[j] != INSIDE)
        s->state[j] = RESTING;
}

/* By how much the slope of a feature outside exceeds its strength; 0 for other features and for columns of zeros. */
INLINE double violation(const Lasso *s, ptrdiff_t j)
{
    if (s->state[j] != OUTSIDE || (is_known(s, j) && !(s->gram[j * s->p + j] > 0.0)))
        return 0.0;
    return (s->positive ? s->slope[j] : fabs(s->slope[j])) - s->strength[j];
}

/* Solve the rows of the factor of n <= MANY features, each with the present support, to its rows size .. size + n - 1.
   Needs size + n <= p and valid rows of `gram`. O(n size^2 / 2), one read of the factor for MANY features. */
INLINE void prepare(Lasso *s, const ptrdiff_t *features, int n)
{
    const ptrdiff_t size = s->size;
    for (int k = 0; k < n; k++)
        for (ptrdiff_t i = 0; i < size; i++)
            row(s, size + k)[i] = s->gram[features[k] * s->p + s->support[i]];
    if (n < MANY) {
        for (int k = 0; k < n; k++)
            forward_solve(s, 0, row(s, size + k));
        return;
    }
    double *a = row(s, size), *b = row(s, size + 1), *c = row(s, size + 2), *d = row(s, size + 3);
    for (ptrdiff_t i = 0; i < size; i++) {
        double part[MANY];
        dot4(i, a, b, c, d, row(s, i), part);
        const double pivot = row(s, i)[i];
        a[i] = (a[i] - part[0]) / pivot;
        b[i] = (b[i] - part[1]) / pivot;
        c[i] = (c[i] - part[2]) / pivot;
        d[i] = (d[i] - part[3]) / pivot;
    }
}

/* Let in n <= MANY features one after the other, as many as p rows of the factor hold. Their first `size` entries are
   solved together; once a feature was dropped, the rows of those behind it are solved anew. O(n size^2). */
INLINE void enter_all(Lasso *s, const ptrdiff_t *features, int n, double *cosine, double *sine)
{
    const ptrdiff_t size = s->size;
    if (size + n > s->p)
        n = (int)(s->p - size);
    prepare(s, features, n);
    int as_prepared = 1;
    for (int k = 0; k < n; k++) {
        const ptrdiff_t j = features[k];
        if (as_prepared && s->size < size + k)
            memcpy(row(s, s->size), row(s, size + k), (size_t)size * sizeof(double));
        s->dropped = 0;
        enter(s, j, as_prepared ? size : 0, cosine, sine);
        as_prepared &= !s->dropped;
    }
}

/* Put feature j on the list, and let in the features of the list once there are MANY, or if j is -1. Returns whether
   any of them entered. Cost of `enter_all`. */
INLINE int gather(Lasso *s, Waiting *list, ptrdiff_t j, double *cosine, double *sine)
{
    int entered = 0;
    if (j >= 0)
        list->features[list->n++] = j;
    if (list->n == MANY || (j < 0 && list->n > 0)) {
        enter_all(s, list->features, list->n, cosine, sine);
        for (int k = 0; k < list->n; k++)
            entered |= s->state[list->features[k]] == INSIDE;
        list->n = 0;
    }
    return entered;
}

/* Compute the row of `gram` of feature j from `columns`. O(p * length). */
INLINE void fill(Lasso *s, ptrdiff_t j)
{
    multiply(s->p, s->length, s->columns, s->columns + j * s->length, s->rows + j * s->p);
    s->known[j] = 1;
}

/* Let in the features whose violation is at least NEARLY of the worst; whether any entered. None enters where no
   violation exceeds `tolerance`, the row of such a feature is missing, or too many features violate their condition.
   Needs `slope` as of now. O(p), and per feature O(size^2), and O(p * length) where its row is filled in. */
INLINE int recruit(Lasso *s, double tolerance, double *cosine, double *sine)
{
    Waiting list = { .n = 0 };
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
        s->crowded = s->patient && (double)number > fmax(ENTERING, SHARE * (double)s->size);
        if (s->crowded)
            return 0;
        for (ptrdiff_t j = 0; j < s->p; j++) {
            if (is_known(s, j) || violation(s, j) < NEARLY * worst)
                continue;
            if (s->columns)
                fill(s, j);
            else
                s->missing = 1;
        }
        if (s->missing)
            return 0;
        int entered = 0;
        for (ptrdiff_t j = 0; j < s->p; j++)
            if (violation(s, j) >= NEARLY * worst) {
                s->sign[j] = s->slope[j] > 0.0 ? 1.0 : -1.0;
                entered |= gather(s, &list, j, cosine, sine);
            }
        entered |= gather(s, &list, -1, cosine, sine);
        if (entered || s->size == s->p)
            return entered;
    }
}

/* Newton steps on the support until every condition holds to `tolerance`, at most `max_steps`. Their number is
   returned: where below `max_steps`, all conditions hold, or `missing` or `crowded` is set. Needs `begin`, and a factor
   of the first `size` features of `support`. O(size^2) per step, and `look` and `recruit` after a full step. */
CLONES static ptrdiff_t go_on(Lasso *s, ptrdiff_t max_steps, double tolerance, double *cosine, double *sine)
{
    const ptrdiff_t given = s->size;
    for (ptrdiff_t j = 0; j < s->p; j++) {
        /* A coefficient of zero in the support has the sign of its slope; coefficients >= 0 have one sign only. */
        const double side = s->coef[j] == 0.0 ? s->slope[j] : s->coef[j];
        s->sign[j] = side < 0.0 && !s->positive ? -1.0 : 1.0;
        s->state[j] = OUTSIDE;
        s->here[j] = s->slope[j];
    }
    for (ptrdiff_t i = 0; i < given; i++)
        s->state[s->support[i]] = INSIDE;
    Waiting list = { .n = 0 };
    for (ptrdiff_t j = 0; j < s->p; j++)
        if (s->coef[j] != 0.0 && s->state[j] != INSIDE)
            gather(s, &list, j, cosine, sine);
    gather(s, &list, -1, cosine, sine);
    ptrdiff_t known = 0; /* entries of `half` that are solved already */
    for (ptrdiff_t steps = 0; steps < max_steps; steps++) {
        /* 1. Step towards the minimum with the signs held fixed, up to the first sign change. */
        for (ptrdiff_t i = known; i < s->size; i++) {
            const ptrdiff_t j = s->support[i];
            s->half[i] = s->here[j] - s->strength[j] * s->sign[j];
        }
        forward_solve(s, known, s->half);
        memcpy(s->step, s->half, (size_t)s->size * sizeof(double));
        backward_solve(s, s->step);
        ptrdiff_t where = -1;
        const double part = first_crossing(s, 1.0, &where);
        move(s, part);
        /* 2. A feature whose coefficient became zero leaves, and rests until the coefficients move again. */
        if (part > 0.0)
            for (ptrdiff_t j = 0; j < s->p; j++)
                s->state[j] = s->state[j] == RESTING ? OUTSIDE : s->state[j];
        if (where >= 0) {
            s->coef[s->support[where]] = 0.0;
            drop(s, where, cosine, sine);
            /* Rows of the factor before `where` stay; their right-hand side shrinks by the factor 1 - part. */
            known = where;
            for (ptrdiff_t i = 0; i < known; i++)
                s->half[i] *= 1.0 - part;
            continue;
        }
        /* 3. After a full step the features that violate their condition enter. */
        known = 0;
        look(s);
        if (!recruit(s, tolerance, cosine, sine))
            return steps + 1;
    }
    look(s);
    return max_steps;
}

/* `go_on` from the present coefficients and slopes, however many features violate their condition. Needs valid rows of
   all features. Cost of `go_on`. */
static ptrdiff_t settle(Lasso *s, ptrdiff_t max_steps, double tolerance, double *cosine, double *sine)
{
    s->patient = s->crowded = s->missing = 0;
    begin(s);
    return go_on(s, max_steps, tolerance, cosine, sine);
}

/* Multiples of one penalty, and the solution for each. */
typedef struct {
    ptrdiff_t n, at, used;     /* number of penalties; the present penalty; epochs and steps spent on it */
    const double *alphas, *unit;
    double *strength;          /* strengths of the present penalty */
    double *coefs, *slopes;
    ptrdiff_t *n_steps, *done;
} Sequence;

/* Settle most signs by at most BURST epochs of coordinate descent, whose number is returned. Updates `coef` and
   `slope`, overwrites `state`, and sets `size` to 0 if more than CHANGED coefficients became zero or nonzero. Cost of
   `descend` and `look`. */
INLINE ptrdiff_t settle_signs(Lasso *s, ptrdiff_t max_epochs)
{
    ptrdiff_t changed = 0;
    for (ptrdiff_t j = 0; j < s->p; j++)
        s->state[j] = s->coef[j] != 0.0;
    const ptrdiff_t epochs = descend(s, max_epochs < BURST ? max_epochs : BURST);
    for (ptrdiff_t j = 0; j < s->p; j++)
        changed += s->state[j] != (s->coef[j] != 0.0);
    if (changed > CHANGED)
        s->size = 0;
    look(s);
    return epochs;
}

/* Solve for the penalties from q->at on, each from the solution before, in about `budget` epochs and steps; stop where
   a row is missing. Conditions hold to `rounding` times the largest slope, since strengths may be larger by any factor.
   Needs `slope`, and a factor of the first `size` features. Cost of `go_on`, and O(p) per penalty. */
CLONES static void follow(Lasso *s, Sequence *q, ptrdiff_t max_steps, ptrdiff_t budget, double rounding,
                          double *cosine, double *sine)
{
    const size_t bytes = (size_t)s->p * sizeof(double);
    for (; q->at < q->n && budget > 0; q->at++, q->used = 0) {
        double largest = 0.0;
        begin(s);
        for (ptrdiff_t j = 0; j < s->p; j++) {
            q->strength[j] = q->alphas[q->at] * q->unit[j];
            largest = fmax(largest, fabs(s->slope[j]));
        }
        const ptrdiff_t left = max_steps - q->used;
        ptrdiff_t limit = left < budget ? left : budget;
        s->patient = q->used == 0;
        s->missing = s->crowded = 0;
        ptrdiff_t steps = limit > 0 ? go_on(s, limit, rounding * largest, cosine, sine) : 0;
        int done = steps < limit, finite = 1;
        if (s->crowded) {
            s->patient = 0;
            steps += settle_signs(s, left - steps);
            limit = left - steps < budget ? left - steps : budget;
            const ptrdiff_t more = limit > 0 ? go_on(s, limit, rounding * largest, cosine, sine) : 0;
            done = more < limit;
            steps += more;
        }
        done &= !s->missing;
        for (ptrdiff_t j = 0; j < s->p; j++)
            finite &= isfinite(s->coef[j]) && isfinite(s->slope[j]);
        if (!finite) {
            memcpy(s->coef, s->begin, bytes);
            memcpy(s->slope, s->begin_slope, bytes);
            s->size = done = 0;
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
