/* Includes FACE_FAMILY, a file that is written over REAL, once for each type, with
 *   REAL, DTYPE, N(name)  float and double, their rill_dtype, name_f32 and name_f64
 *   K(name)               the pure function rill_name_f32 or rill_name_f64, noted as called */
#define REAL    float
#define DTYPE   RILL_F32
#define N(name) name##_f32
#define K(name) (face_called("rill_" #name "_f32"), rill_##name##_f32)
#include FACE_FAMILY
#undef REAL
#undef DTYPE
#undef N
#undef K

#define REAL    double
#define DTYPE   RILL_F64
#define N(name) name##_f64
#define K(name) (face_called("rill_" #name "_f64"), rill_##name##_f64)
#include FACE_FAMILY
#undef REAL
#undef DTYPE
#undef N
#undef K
#undef FACE_FAMILY
