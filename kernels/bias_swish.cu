// The activation of a layer with its bias, and its derivative.
//
//     y = s·sigmoid(s)        slope = sigmoid(s) + y (1 − sigmoid(s))        s = a + b
//
// Layout   a, y, slope (N, H), b (H,); H is contiguous.
// Thread   LANES neighbouring units (16 bytes) of one row.
// Block    blockDim.y rows at a time; threads share nothing.
// Bytes    3 N H numbers, and b, which the caches hold.

using Int = long long;

template <typename Real, int LANES>
struct alignas(sizeof(Real) * LANES) Pack { Real at[LANES]; };

template <typename Real, int LANES>
__global__ void bias_swish(
    Int N, Int H, const Real *__restrict__ a, const Real *__restrict__ b, Real *__restrict__ y,
    Real *__restrict__ slope)
{
    using Lanes = Pack<Real, LANES>;
    H /= LANES;
    for (Int n = blockIdx.x * Int(blockDim.y) + threadIdx.y; n < N; n += gridDim.x * Int(blockDim.y))
        for (Int h = threadIdx.x; h < H; h += blockDim.x) {
            Lanes sum = reinterpret_cast<const Lanes *>(a)[n * H + h];
            Lanes bias = reinterpret_cast<const Lanes *>(b)[h], value, derivative;
#pragma unroll
            for (int i = 0; i < LANES; i++) {
                Real s = sum.at[i] + bias.at[i], e = exp(-fabs(s));
                Real gate = (s > 0 ? 1 : e) / (1 + e);           // e ≤ 1 overflows on neither side
                Real shut = (s > 0 ? e : 1) / (1 + e);           // 1 − gate, without its rounding
                value.at[i] = s * gate;
                derivative.at[i] = gate + value.at[i] * shut;
            }
            reinterpret_cast<Lanes *>(y)[n * H + h] = value;
            reinterpret_cast<Lanes *>(slope)[n * H + h] = derivative;
        }
}
