/* Includes TYPED_FILE, a test that is written over REAL, once for each type: see typed.h. */
#define REAL    float
#define N(name) name##_f32
#define K(name) rill_##name##_f32
#include TYPED_FILE
#undef REAL
#undef N
#undef K

#define REAL    double
#define N(name) name##_f64
#define K(name) rill_##name##_f64
#include TYPED_FILE
#undef REAL
#undef N
#undef K
#undef TYPED_FILE
