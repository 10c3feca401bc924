// One Adam step, in place on theta, m and v (Kingma and Ba, 2015).
//
//     m ← m + (1−β1)(g − m)    v ← v + (1−β2)(g² − v)    θ ← θ − rate · m / (√(scale · v) + ε)
//
// with rate = η / (1 − β1ᵗ) and scale = 1 / (1 − β2ᵗ), computed once by the caller.
//
// Layout   theta, grad, m, v (size,).
// Thread   LANES neighbouring parameters (16 bytes).
// Block    threads share nothing.
// Bytes    7 · size numbers: four read, three written.

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
