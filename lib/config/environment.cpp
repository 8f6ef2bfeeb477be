#include <dynconf/config/environment.hpp>

#include <cstdlib>

namespace dynconf {

environment_lookup process_environment() {
    return [](const std::string& variable) -> std::optional<std::string> {
        if (const char* text = std::getenv(variable.c_str())) return std::string(text);
        return std::nullopt;
    };
}

}  // namespace dynconf
