#pragma once

// The library is built with hidden visibility; what carries this mark is its binary interface.
#define DYNCONF_API __attribute__((visibility("default")))
