/**
 * Device functions of matrix products: tiles of both operands in shared memory, a small block of the result in each
 * thread's registers. Operands are functions of (free index, depth), so that the patches of a convolution are a matrix too.
 */
export const products = `
// What is rounded to bfloat16 before it is multiplied: nearest, ties to even; NaN stays NaN.
__device__ __forceinline__ float bfloat16Of(float x) {
  const unsigned bits = __float_as_uint(x);
  return x == x ? __uint_as_float((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u) : x;
}
__device__ __forceinline__ double bfloat16Of(double x) { return x; }

// A matrix in memory by the strides of its two indices.
template <typename T, bool DEPTH_FIRST> struct MatrixOperand {
  // Neighbouring threads read neighbouring depths rather than neighbouring free indices.
  static constexpr bool depthFirst = DEPTH_FIRST;
  const T* base;
  int extent;
  long long freeStride, depthStride;
  __device__ __forceinline__ T operator()(int free, int depth) const {
    return free < extent ? base[free * freeStride + depth * depthStride] : T(0);
  }
};

template <typename T> struct MatrixResult {
  T* base;
  int rows, columns;
  long long rowStride;
  bool accumulates;
  __device__ __forceinline__ void operator()(int row, int column, T value) const {
    if (row >= rows || column >= columns) return;
    T* const at = base + row * rowStride + column;
    *at = accumulates ? *at + value : value;
  }
};

// A thread's part of the elements of one tile, on their way from memory to shared memory.
template <typename T, int EXTENT, int DEPTH, bool ROUNDED, typename Operand> struct TileLoad {
  static constexpr int count = EXTENT * DEPTH / 256;
  // Lines are aligned for wide loads; neighbouring depths lie in different banks.
  static constexpr int line = EXTENT + 16 / sizeof(T);
  T values[count];
  static __device__ __forceinline__ int freeOf(int e) { return Operand::depthFirst ? e / DEPTH : e % EXTENT; }
  static __device__ __forceinline__ int depthOf(int e) { return Operand::depthFirst ? e % DEPTH : e / EXTENT; }
  __device__ __forceinline__ void read(const Operand& operand, int free, int depth, int end) {
    #pragma unroll
    for (int i = 0; i < count; i++) {
      const int e = threadIdx.x + 256 * i;
      const T value = depth + depthOf(e) < end ? operand(free + freeOf(e), depth + depthOf(e)) : T(0);
      values[i] = ROUNDED ? bfloat16Of(value) : value;
    }
  }
  __device__ __forceinline__ void write(T* tile) const {
    #pragma unroll
    for (int i = 0; i < count; i++) {
      const int e = threadIdx.x + 256 * i;
      tile[depthOf(e) * line + freeOf(e)] = values[i];
    }
  }
};

// Rows ROWS and columns COLUMNS of a product from (row, column) on, over depths from \`start\` to \`end\`. While a tile is
// multiplied the next one is on its way.
template <typename T, int ROWS, int COLUMNS, int DEPTH, bool ROUNDED, typename Left, typename Right, typename Result>
__device__ __forceinline__ void multiplyTile(const Left& left, const Right& right, const Result& result, int row,
                                             int column, int start, int end) {
  typedef TileLoad<T, ROWS, DEPTH, ROUNDED, Left> LeftLoad;
  typedef TileLoad<T, COLUMNS, DEPTH, ROUNDED, Right> RightLoad;
  constexpr int perRow = ROWS / 16, perColumn = COLUMNS / 16, wide = 16 / sizeof(T);
  // Elements that one load from shared memory brings; a thread has groups of them, 16 threads' groups apart.
  constexpr int rowGroup = perRow < wide ? perRow : wide, columnGroup = perColumn < wide ? perColumn : wide;
  T* const a = reinterpret_cast<T*>(shared);
  T* const b = a + DEPTH * LeftLoad::line;
  const int down = threadIdx.x / 16, across = threadIdx.x % 16;
  T sums[perRow][perColumn];
  #pragma unroll
  for (int i = 0; i < perRow; i++)
    #pragma unroll
    for (int j = 0; j < perColumn; j++) sums[i][j] = T(0);
  LeftLoad leftLoad;
  RightLoad rightLoad;
  leftLoad.read(left, row, start, end);
  rightLoad.read(right, column, start, end);
  for (int depth = start; depth < end; depth += DEPTH) {
    leftLoad.write(a);
    rightLoad.write(b);
    __syncthreads();
    if (depth + DEPTH < end) {
      leftLoad.read(left, row, depth + DEPTH, end);
      rightLoad.read(right, column, depth + DEPTH, end);
    }
    #pragma unroll
    for (int d = 0; d < DEPTH; d++) {
      Lanes<T, rowGroup> x[perRow / rowGroup];
      Lanes<T, columnGroup> y[perColumn / columnGroup];
      #pragma unroll
      for (int i = 0; i < perRow / rowGroup; i++)
        x[i] = loadLanes<rowGroup>(a + d * LeftLoad::line + (16 * i + down) * rowGroup);
      #pragma unroll
      for (int j = 0; j < perColumn / columnGroup; j++)
        y[j] = loadLanes<columnGroup>(b + d * RightLoad::line + (16 * j + across) * columnGroup);
      #pragma unroll
      for (int i = 0; i < perRow; i++)
        #pragma unroll
        for (int j = 0; j < perColumn; j++)
          sums[i][j] += x[i / rowGroup].at[i % rowGroup] * y[j / columnGroup].at[j % columnGroup];
    }
    __syncthreads();
  }
  #pragma unroll
  for (int i = 0; i < perRow; i++)
    #pragma unroll
    for (int j = 0; j < perColumn; j++)
      result(row + (16 * (i / rowGroup) + down) * rowGroup + i % rowGroup,
             column + (16 * (j / columnGroup) + across) * columnGroup + j % columnGroup, sums[i][j]);
}
`;
