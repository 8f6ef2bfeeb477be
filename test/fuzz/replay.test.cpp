#include "fuzz/target.hpp"

#include "support/capture.hpp"
#include "support/catch.hpp"

#include <filesystem>
#include <set>

// What fuzzing has found worth keeping, and each input that once broke something, through every compiler and sanitizer.

using namespace dynconf;

namespace {

const std::filesystem::path corpus = DYNCONF_FUZZ_CORPUS;

std::set<std::filesystem::path> inputs_of(const std::string& target) {
    std::set<std::filesystem::path> files;
    for (const auto& file : std::filesystem::directory_iterator(corpus / target)) files.insert(file.path());
    return files;
}

}  // namespace

TEST_CASE("each target of fuzzing has kept inputs, and no others are kept", "[fuzz]") {
    std::set<std::string> names, folders;
    for (const fuzz::target& t : fuzz::targets()) names.insert(t.name);
    for (const auto& folder : std::filesystem::directory_iterator(corpus)) {
        folders.insert(folder.path().filename());
        CHECK_FALSE(std::filesystem::is_empty(folder.path()));
    }
    CHECK(names == folders);
    CHECK(names.size() >= 8);
}

TEST_CASE("kept inputs of fuzzing", "[fuzz]") {
    for (const fuzz::target& t : fuzz::targets()) {
        INFO(t.name);
        CHECK_NOTHROW(t.run(fuzz::input({})));
        for (const auto& file : inputs_of(t.name)) {
            INFO(file.string());
            const std::string bytes = test::read_file(file);
            CHECK_NOTHROW(t.run(fuzz::input(bytes)));
        }
    }
}

TEST_CASE("a promise that is broken is seen", "[fuzz]") {
    CHECK_THROWS_AS(fuzz::promise(false, "kept"), fuzz::broken_promise);
    CHECK_THROWS_AS(fuzz::keeps_secret("password SECRET-51c7"), fuzz::broken_promise);
}
