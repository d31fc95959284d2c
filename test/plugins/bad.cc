/* bad.cc: a plugin in C++ whose exception leaves it: bad.c, and what it does at the beginning of an item. */
#include <stdexcept>
extern "C" {
#define BAD_THROWS throw std::runtime_error("the encoder ran away")
#include "bad.c"
}
