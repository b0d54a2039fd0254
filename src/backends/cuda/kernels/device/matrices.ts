/**
 * Device functions of matrices as products read and write them. An operand is a function of a free index and a depth: what
 * follows from one of them alone is computed once for many elements.
 */
export const matrices = `
// Where an element lies, or several side by side, and whether it exists: what does not is 0.
template <typename T> struct Place { const T* at; bool exists; };

// A matrix in memory by the strides of its two indices.
template <typename T, bool DEPTH_FIRST, int WIDE> struct MatrixOperand {
  // Neighbouring depths lie side by side rather than neighbouring free indices.
  static constexpr bool depthFirst = DEPTH_FIRST;
  // So many of them, aligned to all of them, exist together or not at all.
  static constexpr int wide = WIDE;
  const T* base;
  int extent;
  long long freeStride, depthStride;
  typedef Place<T> Free;
  typedef long long Depth;
  __device__ __forceinline__ Free free(int index) const { return {base + index * freeStride, index < extent}; }
  __device__ __forceinline__ Depth depth(int index) const { return index * depthStride; }
  __device__ __forceinline__ Place<T> at(const Free& free, Depth depth) const { return {free.at + depth, free.exists}; }
};

// Columns lie side by side; WIDE of them, aligned to all of them, exist together or not at all.
template <typename T, int WIDE> struct MatrixResult {
  T* base;
  int rows, columns;
  long long rowStride;
  bool accumulates;
  template <int COUNT>
  __device__ __forceinline__ void operator()(int row, int column, const Lanes<T, COUNT>& values) const {
    if constexpr (WIDE % COUNT == 0) {
      if (row >= rows || column >= columns) return;
      T* const at = base + row * rowStride + column;
      Lanes<T, COUNT> sums = accumulates ? loadLanes<COUNT>(at) : Lanes<T, COUNT>();
      #pragma unroll
      for (int i = 0; i < COUNT; i++) sums.at[i] = accumulates ? sums.at[i] + values.at[i] : values.at[i];
      storeLanes(at, sums);
    } else {
      #pragma unroll
      for (int i = 0; i < COUNT; i++) (*this)(row, column + i, Lanes<T, 1>{{values.at[i]}});
    }
  }
};
`;
