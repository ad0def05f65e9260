/* Decimal numbers to text and back, without regard to the host's locale and correctly rounded. */
#ifndef RILL_SRC_NUMBER_H
#define RILL_SRC_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

enum { NUMBER_SIZE = 32 };

/* Prints x with the fewest significant digits that read back as x: "0.1", "1e-05", "-0", "nan",
 * "inf". Plain for exponents in [-4, 16), as Python does. Returns buffer, so that it can stand in an
 * argument list: error_set(ctx, code, op, "p is %s", number_print((char[NUMBER_SIZE]){0}, p)). */
char *number_print(char buffer[NUMBER_SIZE], double x);
char *number_print_f32(char buffer[NUMBER_SIZE], float x);

/* Reads a number of JSON's grammar that fills [bytes, bytes + size): the nearest double (float),
 * ties to even, too large a one as infinity. False where it is no such number. */
bool number_read(const char *bytes, size_t size, double *out);
bool number_read_f32(const char *bytes, size_t size, float *out);

#endif
