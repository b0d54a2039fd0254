/**
 * Device functions of every program: numbers that are no literals, elements side by side in one load or store, and
 * arithmetic as the host has it (integers wrap, NaN wins a maximum, casts cut and wrap).
 */
export const arithmetic = `
extern __shared__ __align__(16) unsigned char shared[];

template <typename T> __device__ __forceinline__ T infinity();
template <> __device__ __forceinline__ float infinity<float>() { return __int_as_float(0x7f800000); }
template <> __device__ __forceinline__ double infinity<double>() {
  return __longlong_as_double(0x7ff0000000000000ll);
}
template <typename T> __device__ __forceinline__ T notANumber() { return infinity<T>() - infinity<T>(); }

// Neighbouring elements that travel in one instruction.
template <typename T, int COUNT> struct alignas(sizeof(T) * COUNT) Lanes { T at[COUNT]; };

template <int COUNT, typename T> __device__ __forceinline__ Lanes<T, COUNT> loadLanes(const T* from) {
  return *reinterpret_cast<const Lanes<T, COUNT>*>(from);
}

template <int COUNT, typename T> __device__ __forceinline__ void storeLanes(T* to, const Lanes<T, COUNT>& lanes) {
  *reinterpret_cast<Lanes<T, COUNT>*>(to) = lanes;
}

__device__ __forceinline__ int wrappedSum(int a, int b) { return (int)((unsigned)a + (unsigned)b); }
__device__ __forceinline__ int wrappedDifference(int a, int b) { return (int)((unsigned)a - (unsigned)b); }
__device__ __forceinline__ int wrappedProduct(int a, int b) { return (int)((unsigned)a * (unsigned)b); }

template <typename T> __device__ __forceinline__ T greater(T a, T b) { return a > b || a != a ? a : b; }
template <typename T> __device__ __forceinline__ T lesser(T a, T b) { return a < b || a != a ? a : b; }

// 1, -1, or x itself: 0, -0 and NaN stay.
template <typename T> __device__ __forceinline__ T signOf(T x) { return x > T(0) ? T(1) : x < T(0) ? T(-1) : x; }

__device__ __forceinline__ int clampIndex(int index, int extent) {
  return index < 0 ? 0 : index < extent ? index : extent - 1;
}

// Modulo 2^32; NaN and infinities become 0.
__device__ __forceinline__ int truncated(double x) {
  const double rest = x - trunc(x * 0x1p-32) * 0x1p32;
  return rest == rest ? (int)(unsigned)(long long)rest : 0;
}

// Quotients of 32-bit integers round to no wrong side of an integer in double; those of 0 saturate.
__device__ __forceinline__ int floorQuotient(int a, int b) {
  const double quotient = floor((double)a / (double)b);
  if (quotient != quotient) return 0;
  return quotient >= 2147483647.0 ? 2147483647 : quotient <= -2147483648.0 ? -2147483647 - 1 : (int)quotient;
}

__device__ __forceinline__ double floorRemainder(double a, double b) {
  return __dadd_rn(a, -__dmul_rn(b, floor(a / b)));
}

// Where C takes 1 for a power with an exponent that is no number or infinite, the host has NaN.
__device__ __forceinline__ double power(double x, double y) {
  return y != y || (fabs(x) == 1.0 && fabs(y) == infinity<double>()) ? notANumber<double>() : pow(x, y);
}
__device__ __forceinline__ float power(float x, float y) {
  return y != y || (fabsf(x) == 1.0f && fabsf(y) == infinity<float>()) ? notANumber<float>() : powf(x, y);
}
`;
