// One Adam step, in place on theta, m and v (Kingma and Ba, 2015).
//
//     m ← m + (1−β1)(g − m)    v ← v + (1−β2)(g² − v)    θ ← θ − rate · m / (√(scale · v) + ε)
//
// with rate = η / (1 − β1ᵗ) and scale = 1 / (1 − β2ᵗ), computed once by the caller.
//
// Layout   theta, grad, m, v (size,).
// Thread   LANES neighbouring parameters (16 bytes); in v2 also one of the last few.
// Block    threads share nothing.
// Bytes    7 · size numbers: four read, three written.
//
// v1, `adam_step`, is launched with LANES = 1 for a size that is no multiple of LANES.  v2 moves 16
// bytes at a time whatever the size is.

using Int = long long;

template <typename Real, int LANES>
struct alignas(sizeof(Real) * LANES) Pack { Real at[LANES]; };

template <typename Real, int LANES>
__global__ void adam_step(
    Int size, Real rate, Real scale, Real keep1, Real keep2, Real epsilon, Real *theta,
    const Real *grad, Real *m, Real *v)
{
    using Lanes = Pack<Real, LANES>;
    const Int thread = (blockIdx.x * Int(blockDim.y) + threadIdx.y) * blockDim.x + threadIdx.x;
    for (Int i = thread; i < size / LANES; i += gridDim.x * Int(blockDim.y) * blockDim.x) {
        Lanes theta_ = reinterpret_cast<Lanes *>(theta)[i], m_ = reinterpret_cast<Lanes *>(m)[i];
        Lanes g = reinterpret_cast<const Lanes *>(grad)[i], v_ = reinterpret_cast<Lanes *>(v)[i];
#pragma unroll
        for (int j = 0; j < LANES; j++) {
            m_.at[j] += keep1 * (g.at[j] - m_.at[j]);
            v_.at[j] += keep2 * (g.at[j] * g.at[j] - v_.at[j]);
            theta_.at[j] -= rate * m_.at[j] / (sqrt(scale * v_.at[j]) + epsilon);
        }
        reinterpret_cast<Lanes *>(theta)[i] = theta_;
        reinterpret_cast<Lanes *>(m)[i] = m_;
        reinterpret_cast<Lanes *>(v)[i] = v_;
    }
}

// ---- v2: most parameters in packs, the last few one by one ----------------------------------------

template <int LANES, typename Real>
__device__ void update(
    Int i, Real rate, Real scale, Real keep1, Real keep2, Real epsilon, Real *theta,
    const Real *grad, Real *m, Real *v)
{
    using Lanes = Pack<Real, LANES>;
    Lanes theta_ = reinterpret_cast<Lanes *>(theta)[i], m_ = reinterpret_cast<Lanes *>(m)[i];
    Lanes g = reinterpret_cast<const Lanes *>(grad)[i], v_ = reinterpret_cast<Lanes *>(v)[i];
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        m_.at[j] += keep1 * (g.at[j] - m_.at[j]);
        v_.at[j] += keep2 * (g.at[j] * g.at[j] - v_.at[j]);
        theta_.at[j] -= rate * m_.at[j] / (sqrt(scale * v_.at[j]) + epsilon);
    }
    reinterpret_cast<Lanes *>(theta)[i] = theta_;
    reinterpret_cast<Lanes *>(m)[i] = m_;
    reinterpret_cast<Lanes *>(v)[i] = v_;
}

template <typename Real>
__global__ void adam_step_v2(
    Int size, Real rate, Real scale, Real keep1, Real keep2, Real epsilon, Real *theta,
    const Real *grad, Real *m, Real *v)
{
    constexpr int LANES = 16 / sizeof(Real);
    const Int thread = (blockIdx.x * Int(blockDim.y) + threadIdx.y) * blockDim.x + threadIdx.x;
    const Int threads = gridDim.x * Int(blockDim.y) * blockDim.x;
    const bool aligned = (Int(theta) | Int(grad) | Int(m) | Int(v)) % 16 == 0;
    const Int packs = aligned ? size / LANES : 0;
    for (Int i = thread; i < packs; i += threads)
        update<LANES>(i, rate, scale, keep1, keep2, epsilon, theta, grad, m, v);
    for (Int i = packs * LANES + thread; i < size; i += threads)
        update<1>(i, rate, scale, keep1, keep2, epsilon, theta, grad, m, v);
}
