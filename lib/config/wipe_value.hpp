#pragma once

#include <dynconf/config/value.hpp>

namespace dynconf::detail {

/// Overwrites what a value holds, which is of no use afterwards: a text, the items of a list, a number, and of a JSON document all
/// but the names of members. A document that somebody else has, too, is left as it is.
void wipe_value(value& v) noexcept;
/// The same of a document.
void wipe_document(nlohmann::json& document) noexcept;

}  // namespace dynconf::detail
