#pragma once

#include "wire/json_shape.hpp"

namespace dynconf::wire {

extern const shape header_shape;
extern const shape key_value_shape;

}  // namespace dynconf::wire
