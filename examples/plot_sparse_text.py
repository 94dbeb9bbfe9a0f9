"""
Which words predict the price?
==============================

A bag of words has thousands of columns that are nearly all zeros. ``LADRegressor`` takes it as a sparse matrix, and its
L1 penalty finds the relevant words even if some prices are typing errors. The advertisements are simulated.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from ladreg import LADRegressor, LassoCDCV

random = np.random.default_rng(0)
effects = {"garden": 60, "balcony": 25, "renovated": 40, "noisy": -35, "basement": -50, "station": 20}
words = np.array([*effects, *(f"word{k}" for k in range(3_000))])
share = np.append(np.full(6, 4.0), 60 / (10.0 + np.arange(3_000)))  # a few words are common, most are rare
texts = [" ".join(random.choice(words, size=15, p=share / share.sum())) for _ in range(2_000)]
price = np.array([300.0 + sum(effects.get(word, 0) for word in set(text.split())) for text in texts])
price += random.normal(0, 15, price.size)
price[random.permutation(2_000)[:100]] *= 10  # a zero too many

# %%
# Words to columns
# ----------------

vectorizer = CountVectorizer(binary=True, min_df=3)
X = vectorizer.fit_transform(texts)
names = vectorizer.get_feature_names_out()
print(f"{X.shape[0]} texts, {X.shape[1]} words, {X.nnz / np.prod(X.shape):.1%} of the entries are non-zero")

# %%
# Absolute against squared loss
# -----------------------------
# ``alpha="pivotal"`` dominates the noise with high probability for any error distribution, without cross-validation.
# For the squared loss alpha is chosen by cross-validation. Because of the hundred outliers it selects no words.

fits = {
    "absolute loss": LADRegressor(alpha="pivotal").fit(X, price),
    "squared loss": LassoCDCV(eps=0.3, alphas=20).fit(X, price),
}
for name, fit in fits.items():
    kept = [str(names[j]) for j in np.flatnonzero(fit.coef_)]
    right = [word for word in effects if word in kept]
    print(f"{name}: {len(kept)} words selected, {len(right)} of the six: {', '.join(right) or 'none'}")

# %%
# The penalty shrinks the effects. A refit of the selected words without penalty removes the shrinkage.

kept = np.flatnonzero(fits["absolute loss"].coef_)
refit = LADRegressor().fit(X[:, kept], price)
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
order = np.argsort(refit.coef_)
axes.barh(names[kept][order], refit.coef_[order], color="#56B4E9", label="refit")
axes.plot(fits["absolute loss"].coef_[kept][order], names[kept][order], "o", color="#0072B2", label="with the penalty")
truth = [effects.get(word, 0) for word in names[kept][order]]
axes.plot(truth, names[kept][order], "|", color="#D55E00", ms=18, mew=3, label="truth")
axes.axvline(0, color="0.5", lw=1)
axes.set(xlabel="effect on the price", title="Words selected by the absolute loss")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="lower right")
plt.show()
