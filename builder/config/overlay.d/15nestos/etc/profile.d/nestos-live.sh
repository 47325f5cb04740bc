# The greeting of a live system, fresh at every login.
if [ -e /run/ostree-live ] && [ -n "${PS1-}" ] && [ -z "${SUDO_USER-}" ] && [ -t 1 ]; then
    /usr/lib/nestos/nestos-live inst greeting
fi
