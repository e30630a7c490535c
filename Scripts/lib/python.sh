# A Python environment with the packages of Tests/EndToEnd/requirements.txt, made when they change. Needs common.sh. Sourced, not run.

# use_test_python: sets PYTHON.
use_test_python() {
    local venv=.build/test-venv requirements=Tests/EndToEnd/requirements.txt
    PYTHON=$PWD/$venv/bin/python
    cmp -s "$requirements" "$venv/installed.txt" && return 0
    say "installing the Python packages of the tests"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/installed.txt"
}
