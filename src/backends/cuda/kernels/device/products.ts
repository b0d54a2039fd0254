/**
 * Device functions of matrix products: tiles of both operands in shared memory, several on their way while one is
 * multiplied, and a small block of the result in each thread's registers. Ordinary cores multiply what is not rounded,
 * tensor cores what is, from compute capability 8.0 on.
 */
export const products = `
// What becomes of float32 before it is multiplied. Before 8.0 nothing is rounded to TF32.
enum class Rounding { none, bfloat16, tf32 };

// Each thread multiplies by itself: rows and columns of the tile in groups, 16 threads' groups apart.
template <typename T, int ROWS, int COLUMNS, int DEPTH> struct ThreadTile {
  typedef DepthLines<T, ROWS, DEPTH> Left;
  typedef DepthLines<T, COLUMNS, DEPTH> Right;
  static constexpr int perRow = ROWS / 16, perColumn = COLUMNS / 16, wide = 16 / sizeof(T);
  // Elements that one load from shared memory brings.
  static constexpr int rowGroup = perRow < wide ? perRow : wide, columnGroup = perColumn < wide ? perColumn : wide;
  struct Operands {
    Lanes<T, rowGroup> x[perRow / rowGroup];
    Lanes<T, columnGroup> y[perColumn / columnGroup];
  };
  T sums[perRow][perColumn];

  // A warp has 4 by 8 threads of 16 by 16.
  static __device__ __forceinline__ int down() { return threadIdx.x / 64 * 4 + threadIdx.x % 32 / 8; }
  static __device__ __forceinline__ int across() { return threadIdx.x / 32 % 2 * 8 + threadIdx.x % 8; }
  static __device__ __forceinline__ Operands load(const T* left, const T* right, int depth) {
    Operands operands;
    #pragma unroll
    for (int i = 0; i < perRow / rowGroup; i++)
      operands.x[i] = loadLanes<rowGroup>(left + Left::at((16 * i + down()) * rowGroup, depth));
    #pragma unroll
    for (int j = 0; j < perColumn / columnGroup; j++)
      operands.y[j] = loadLanes<columnGroup>(right + Right::at((16 * j + across()) * columnGroup, depth));
    return operands;
  }
  __device__ __forceinline__ ThreadTile() {
    #pragma unroll
    for (int i = 0; i < perRow; i++)
      #pragma unroll
      for (int j = 0; j < perColumn; j++) sums[i][j] = T(0);
  }
  // The operands of a depth are loaded while those of the one before are multiplied.
  __device__ __forceinline__ void multiply(const T* left, const T* right) {
    Operands operands = load(left, right, 0);
    #pragma unroll
    for (int depth = 0; depth < DEPTH; depth++) {
      const Operands next = load(left, right, depth + 1 < DEPTH ? depth + 1 : depth);
      #pragma unroll
      for (int i = 0; i < perRow; i++)
        #pragma unroll
        for (int j = 0; j < perColumn; j++)
          sums[i][j] += operands.x[i / rowGroup].at[i % rowGroup] * operands.y[j / columnGroup].at[j % columnGroup];
      operands = next;
    }
  }
  template <typename Result> __device__ __forceinline__ void store(const Result& result, int row, int column) const {
    #pragma unroll
    for (int i = 0; i < perRow; i++)
      #pragma unroll
      for (int j = 0; j < perColumn / columnGroup; j++) {
        Lanes<T, columnGroup> values;
        #pragma unroll
        for (int n = 0; n < columnGroup; n++) values.at[n] = sums[i][j * columnGroup + n];
        result(row + (16 * (i / rowGroup) + down()) * rowGroup + i % rowGroup,
               column + (16 * j + across()) * columnGroup, values);
      }
  }
};

#if __CUDA_ARCH__ >= 800
// What a thread holds of 16 depths of a row or column, as the instructions take it.
template <Rounding ROUNDING> struct Fragment;
template <> struct Fragment<Rounding::bfloat16> {
  unsigned pairs[2];
  __device__ __forceinline__ void round(const Lanes<float, 4>& values) {
    pairs[0] = bfloat16Pair(values.at[0], values.at[1]);
    pairs[1] = bfloat16Pair(values.at[2], values.at[3]);
  }
  static __device__ __forceinline__ void multiply(float (&sums)[4], const Fragment& upper, const Fragment& lower,
                                                  const Fragment& right) {
    const unsigned a[4] = {upper.pairs[0], lower.pairs[0], upper.pairs[1], lower.pairs[1]};
    multiplyBfloat16(sums, a, right.pairs);
  }
};
template <> struct Fragment<Rounding::tf32> {
  unsigned numbers[4];
  __device__ __forceinline__ void round(const Lanes<float, 4>& values) {
    #pragma unroll
    for (int i = 0; i < 4; i++) numbers[i] = tf32Of(values.at[i]);
  }
  static __device__ __forceinline__ void multiply(float (&sums)[4], const Fragment& upper, const Fragment& lower,
                                                  const Fragment& right) {
    #pragma unroll
    for (int i = 0; i < 4; i += 2) {
      const unsigned a[4] = {upper.numbers[i], lower.numbers[i], upper.numbers[i + 1], lower.numbers[i + 1]};
      const unsigned b[2] = {right.numbers[i], right.numbers[i + 1]};
      multiplyTf32(sums, a, b);
    }
  }
};

// Warps multiply by tensor cores, each a part of the tile, 16 rows by 8 columns at a time.
template <Rounding ROUNDING, int ROWS, int COLUMNS, int DEPTH, bool LEFT_DEPTH_FIRST, bool RIGHT_DEPTH_FIRST>
struct WarpTile {
  typedef WarpLines<ROWS, DEPTH, LEFT_DEPTH_FIRST> Left;
  typedef WarpLines<COLUMNS, DEPTH, RIGHT_DEPTH_FIRST> Right;
  static constexpr int warpsDown = ROWS > COLUMNS ? 4 : ROWS > 16 ? 2 : 1, warpsAcross = 8 / warpsDown;
  static constexpr int rows = ROWS / warpsDown, columns = COLUMNS / warpsAcross;
  float sums[rows / 16][columns / 8][4];

  static __device__ __forceinline__ int firstRow() {
    return threadIdx.x / 32 / warpsAcross * rows + threadIdx.x % 32 / 4;
  }
  static __device__ __forceinline__ int firstColumn() { return threadIdx.x / 32 % warpsAcross * columns; }
  __device__ __forceinline__ WarpTile() {
    #pragma unroll
    for (int i = 0; i < rows / 16; i++)
      #pragma unroll
      for (int j = 0; j < columns / 8; j++)
        #pragma unroll
        for (int n = 0; n < 4; n++) sums[i][j][n] = 0.0f;
  }
  __device__ __forceinline__ void multiply(const float* left, const float* right) {
    const int t = threadIdx.x % 4, column = firstColumn() + threadIdx.x % 32 / 4;
    #pragma unroll
    for (int group = 0; group < DEPTH / 16; group++) {
      Fragment<ROUNDING> x[rows / 8], y[columns / 8];
      #pragma unroll
      for (int i = 0; i < rows / 8; i++) x[i].round(Left::fragment(left, firstRow() + 8 * i, group, t));
      #pragma unroll
      for (int j = 0; j < columns / 8; j++) y[j].round(Right::fragment(right, column + 8 * j, group, t));
      #pragma unroll
      for (int i = 0; i < rows / 16; i++)
        #pragma unroll
        for (int j = 0; j < columns / 8; j++)
          Fragment<ROUNDING>::multiply(sums[i][j], x[2 * i], x[2 * i + 1], y[j]);
    }
  }
  template <typename Result> __device__ __forceinline__ void store(const Result& result, int row, int column) const {
    #pragma unroll
    for (int i = 0; i < rows / 16; i++)
      #pragma unroll
      for (int j = 0; j < columns / 8; j++)
        #pragma unroll
        for (int half = 0; half < 2; half++)
          result(row + firstRow() + 16 * i + 8 * half, column + firstColumn() + 8 * j + threadIdx.x % 4 * 2,
                 Lanes<float, 2>{{sums[i][j][2 * half], sums[i][j][2 * half + 1]}});
  }
};

template <typename T, Rounding ROUNDING, int ROWS, int COLUMNS, int DEPTH, bool LEFT_DEPTH_FIRST, bool RIGHT_DEPTH_FIRST>
struct TileProduct : WarpTile<ROUNDING, ROWS, COLUMNS, DEPTH, LEFT_DEPTH_FIRST, RIGHT_DEPTH_FIRST> {};
template <typename T, int ROWS, int COLUMNS, int DEPTH, bool LEFT_DEPTH_FIRST, bool RIGHT_DEPTH_FIRST>
struct TileProduct<T, Rounding::none, ROWS, COLUMNS, DEPTH, LEFT_DEPTH_FIRST, RIGHT_DEPTH_FIRST>
    : ThreadTile<T, ROWS, COLUMNS, DEPTH> {};
#else
template <typename T, Rounding ROUNDING, int ROWS, int COLUMNS, int DEPTH, bool LEFT_DEPTH_FIRST, bool RIGHT_DEPTH_FIRST>
struct TileProduct : ThreadTile<T, ROWS, COLUMNS, DEPTH> {};
#endif

// Rows ROWS and columns COLUMNS of a product from (row, column) on, over depths from \`start\` to \`end\`; STAGES tiles of
// both operands have room in shared memory.
template <typename T, Rounding ROUNDING, int ROWS, int COLUMNS, int DEPTH, int STAGES, typename Left, typename Right,
          typename Result>
__device__ __forceinline__ void multiplyTile(const Left& left, const Right& right, const Result& result, int row,
                                             int column, int start, int end) {
  typedef TileProduct<T, ROUNDING, ROWS, COLUMNS, DEPTH, Left::depthFirst, Right::depthFirst> Tile;
  typedef typename Tile::Left LeftLayout;
  typedef typename Tile::Right RightLayout;
  constexpr int size = LeftLayout::size + RightLayout::size;
  T* const stages = reinterpret_cast<T*>(shared);
  Tile tile;
  TileCopy<T, Left, LeftLayout, ROWS, DEPTH> leftCopy(left, row);
  TileCopy<T, Right, RightLayout, COLUMNS, DEPTH> rightCopy(right, column);
#if __CUDA_ARCH__ >= 800
  #pragma unroll
  for (int stage = 0; stage < STAGES - 1; stage++) {
    const int depth = start + stage * DEPTH;
    if (depth < end) {
      leftCopy.copy(left, stages + stage * size, depth, end);
      rightCopy.copy(right, stages + stage * size + LeftLayout::size, depth, end);
    }
    endCopies();
  }
  int stage = 0, free = STAGES - 1;
  for (int depth = start; depth < end; depth += DEPTH) {
    waitForCopies<STAGES - 2>();
    // All copies of this stage are there, and nobody reads the one before any more.
    __syncthreads();
    const int ahead = depth + (STAGES - 1) * DEPTH;
    if (ahead < end) {
      leftCopy.copy(left, stages + free * size, ahead, end);
      rightCopy.copy(right, stages + free * size + LeftLayout::size, ahead, end);
    }
    endCopies();
    tile.multiply(stages + stage * size, stages + stage * size + LeftLayout::size);
    stage = stage + 1 == STAGES ? 0 : stage + 1;
    free = free + 1 == STAGES ? 0 : free + 1;
  }
#else
  constexpr bool rounds = ROUNDING == Rounding::bfloat16;
  leftCopy.read(left, start, end);
  rightCopy.read(right, start, end);
  T* at = stages;
  for (int depth = start; depth < end; depth += DEPTH) {
    leftCopy.template write<rounds>(at);
    rightCopy.template write<rounds>(at + LeftLayout::size);
    // Nobody reads the other stage any more when all are here again.
    __syncthreads();
    if (depth + DEPTH < end) {
      leftCopy.read(left, depth + DEPTH, end);
      rightCopy.read(right, depth + DEPTH, end);
    }
    tile.multiply(at, at + LeftLayout::size);
    at = at == stages ? stages + size : stages;
  }
#endif
  tile.store(result, row, column);
}
`;
