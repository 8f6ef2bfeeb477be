#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace dynconf::crypto {

/// Overwrites each of `secrets` in words that somebody else wrote, by "****": as it is, in any way to write it in JSON, as
/// wire::quote shows it, and the part of it that is left where the words were cut ("..."). One of fewer than four bytes is let be:
/// that would hide letters, and show which.
void hide(std::string& words, std::initializer_list<std::string_view> secrets);

}  // namespace dynconf::crypto
