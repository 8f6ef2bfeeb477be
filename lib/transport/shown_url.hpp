#pragma once

#include <string>
#include <string_view>

namespace dynconf::transport {

/// A URL as messages may show it: quoted, without a user part and without what follows '?' or '#', which may hold passwords and
/// tokens. It need not be a good one.
std::string shown_url(std::string_view url);

}  // namespace dynconf::transport
