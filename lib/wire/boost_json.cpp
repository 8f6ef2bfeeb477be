// Boost.JSON as headers only: the library needs no more of it than its parser, and so no libboost_json is linked.
// The one translation unit that holds its non-template parts.
#include <boost/json/src.hpp>
