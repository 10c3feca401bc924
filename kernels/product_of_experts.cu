// The prior N(0, I) times the present Gaussian experts, normalised.                      [S7.5]
//
//     1/var = 1 + Σ_m 1/var_m        mean = var Σ_m mu_m / var_m
//
// Layout   mu, log_var (M, N, D), mask (M, N), mean, joint_log_var (N, D); row-major, so that
//          neighbouring threads, which are neighbours along D, read neighbouring addresses.
// Thread   one dimension of one example (v3, v4 and the vjp: LANES of them), all M experts.
// Block    blockDim.y examples at a time; threads share nothing.
// Bytes    forward (2 M + 2) N D numbers and M N bools; vjp (4 M + 4) N D numbers and M N bools.
//
// v1 reads every log variance twice.  v2 reads it once.  v3 reads 16 bytes at a time.  v4 reads
// four experts at a time, absent ones too, since then no read waits for a mask.

using Int = long long;

template <typename Real, int LANES>
struct alignas(sizeof(Real) * LANES) Pack { Real at[LANES]; };

// exp(−|a − b|): 1 for two equal infinities, NaN for NaN.  A choice of arguments needs no branch.
template <typename Real>
__device__ Real ratio(Real a, Real b)
{
    return exp(a == b ? Real(0) : -fabs(a - b));
}

// ---- v1: for each example and dimension, first the least log variance, then the sums ------------

template <typename Real>
__global__ void product_of_experts_v1(
    Int M, Int N, Int D, const Real *__restrict__ mu, const Real *__restrict__ log_var,
    const bool *__restrict__ mask, Real *__restrict__ mean, Real *__restrict__ joint_log_var)
{
    for (Int n = blockIdx.x * Int(blockDim.y) + threadIdx.y; n < N; n += gridDim.x * Int(blockDim.y))
        for (Int d = threadIdx.x; d < D; d += blockDim.x) {
            Real least = 0;                                      // the prior's log variance
            for (Int m = 0; m < M; m++)
                if (mask[m * N + n] && log_var[(m * N + n) * D + d] < least)
                    least = log_var[(m * N + n) * D + d];
            Real total = ratio(least, Real(0)), sum = 0;          // in units of 1 / least variance
            for (Int m = 0; m < M; m++)
                if (mask[m * N + n]) {                           // what is masked is never read
                    Real share = ratio(least, log_var[(m * N + n) * D + d]);
                    total += share;
                    sum += share * mu[(m * N + n) * D + d];
                }
            mean[n * D + d] = sum / total;
            joint_log_var[n * D + d] = least - log(total);
        }
}

// ---- v2: one pass; a new least log variance rescales the sums so far ----------------------------

template <typename Real>
struct Product {
    Real least = 0, total = 1, sum = 0;                          // the prior

    __device__ void times(Real mu, Real log_var)
    {
        Real scale = ratio(log_var, least);
        bool sharper = log_var < least;
        total = sharper ? total * scale + 1 : total + scale;
        sum = sharper ? sum * scale + mu : sum + scale * mu;
        least = sharper ? log_var : least;
    }
};

template <typename Real>
__global__ void product_of_experts_v2(
    Int M, Int N, Int D, const Real *__restrict__ mu, const Real *__restrict__ log_var,
    const bool *__restrict__ mask, Real *__restrict__ mean, Real *__restrict__ joint_log_var)
{
    for (Int n = blockIdx.x * Int(blockDim.y) + threadIdx.y; n < N; n += gridDim.x * Int(blockDim.y))
        for (Int d = threadIdx.x; d < D; d += blockDim.x) {
            Product<Real> product;
            for (Int m = 0; m < M; m++)
                if (mask[m * N + n])
                    product.times(mu[(m * N + n) * D + d], log_var[(m * N + n) * D + d]);
            mean[n * D + d] = product.sum / product.total;
            joint_log_var[n * D + d] = product.least - log(product.total);
        }
}

// ---- v3: LANES dimensions a thread, in loads and stores of 16 bytes ------------------------------

template <typename Real, int LANES>
__global__ void product_of_experts_v3(
    Int M, Int N, Int D, const Real *__restrict__ mu, const Real *__restrict__ log_var,
    const bool *__restrict__ mask, Real *__restrict__ mean, Real *__restrict__ joint_log_var)
{
    using Lanes = Pack<Real, LANES>;
    auto mu_lanes = reinterpret_cast<const Lanes *>(mu);
    auto log_var_lanes = reinterpret_cast<const Lanes *>(log_var);
    D /= LANES;
    for (Int n = blockIdx.x * Int(blockDim.y) + threadIdx.y; n < N; n += gridDim.x * Int(blockDim.y))
        for (Int d = threadIdx.x; d < D; d += blockDim.x) {
            Product<Real> product[LANES];
            for (Int m = 0; m < M; m++)
                if (mask[m * N + n]) {
                    Lanes centre = mu_lanes[(m * N + n) * D + d];
                    Lanes own = log_var_lanes[(m * N + n) * D + d];
#pragma unroll
                    for (int i = 0; i < LANES; i++)
                        product[i].times(centre.at[i], own.at[i]);
                }
            Lanes first, second;
#pragma unroll
            for (int i = 0; i < LANES; i++) {
                first.at[i] = product[i].sum / product[i].total;
                second.at[i] = product[i].least - log(product[i].total);
            }
            reinterpret_cast<Lanes *>(mean)[n * D + d] = first;
            reinterpret_cast<Lanes *>(joint_log_var)[n * D + d] = second;
        }
}

// ---- v4: reads that wait for no mask, of several experts at once; an absent one gets precision 0 --

template <typename Real, int LANES>
__global__ void product_of_experts_v4(
    Int M, Int N, Int D, const Real *__restrict__ mu, const Real *__restrict__ log_var,
    const bool *__restrict__ mask, Real *__restrict__ mean, Real *__restrict__ joint_log_var)
{
    using Lanes = Pack<Real, LANES>;
    const Real nowhere = -log(Real(0));                          // its log variance: ∞
    D /= LANES;
    for (Int n = blockIdx.x * Int(blockDim.y) + threadIdx.y; n < N; n += gridDim.x * Int(blockDim.y))
        for (Int d = threadIdx.x; d < D; d += blockDim.x) {
            Product<Real> product[LANES];
#pragma unroll 4
            for (Int m = 0; m < M; m++) {
                const bool present = mask[m * N + n];
                const Lanes centre = reinterpret_cast<const Lanes *>(mu)[(m * N + n) * D + d];
                const Lanes own = reinterpret_cast<const Lanes *>(log_var)[(m * N + n) * D + d];
#pragma unroll
                for (int i = 0; i < LANES; i++)
                    product[i].times(present ? centre.at[i] : 0, present ? own.at[i] : nowhere);
            }
            Lanes first, second;
#pragma unroll
            for (int i = 0; i < LANES; i++) {
                first.at[i] = product[i].sum / product[i].total;
                second.at[i] = product[i].least - log(product[i].total);
            }
            reinterpret_cast<Lanes *>(mean)[n * D + d] = first;
            reinterpret_cast<Lanes *>(joint_log_var)[n * D + d] = second;
        }
}

// ---- vjp: with share_m = var / var_m ------------------------------------------------------------
//
//     dmu_m = share_m dmean        dlog_var_m = share_m (djoint_log_var − (mu_m − mean) dmean)

template <typename Real, int LANES>
__global__ void product_of_experts_vjp(
    Int M, Int N, Int D, const Real *__restrict__ dmean, const Real *__restrict__ djoint_log_var,
    const Real *__restrict__ mu, const Real *__restrict__ log_var, const bool *__restrict__ mask,
    const Real *__restrict__ mean, const Real *__restrict__ joint_log_var,
    Real *__restrict__ dmu, Real *__restrict__ dlog_var)
{
    using Lanes = Pack<Real, LANES>;
    D /= LANES;
    for (Int n = blockIdx.x * Int(blockDim.y) + threadIdx.y; n < N; n += gridDim.x * Int(blockDim.y))
        for (Int d = threadIdx.x; d < D; d += blockDim.x) {
            Lanes dmean_ = reinterpret_cast<const Lanes *>(dmean)[n * D + d];
            Lanes djoint = reinterpret_cast<const Lanes *>(djoint_log_var)[n * D + d];
            Lanes mean_ = reinterpret_cast<const Lanes *>(mean)[n * D + d];
            Lanes joint = reinterpret_cast<const Lanes *>(joint_log_var)[n * D + d];
            for (Int m = 0; m < M; m++) {
                Int at = (m * N + n) * D + d;
                Lanes first = {}, second = {};                   // exact zeros for a masked expert
                if (mask[m * N + n]) {
                    Lanes centre = reinterpret_cast<const Lanes *>(mu)[at];
                    Lanes own = reinterpret_cast<const Lanes *>(log_var)[at];
#pragma unroll
                    for (int i = 0; i < LANES; i++) {
                        Real share = exp(joint.at[i] - own.at[i]);
                        Real from_mean = (centre.at[i] - mean_.at[i]) * dmean_.at[i];
                        first.at[i] = share * dmean_.at[i];
                        second.at[i] = share * (djoint.at[i] - from_mean);
                    }
                }
                reinterpret_cast<Lanes *>(dmu)[at] = first;
                reinterpret_cast<Lanes *>(dlog_var)[at] = second;
            }
        }
}
