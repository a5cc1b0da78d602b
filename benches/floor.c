/* The floor: the least that any supervisor on this machine has to do. One thread, one epoll over
 * pidfds, vfork and exec, restart at once; no configuration, no log, no state.
 *
 * floor N CHILD FIFO       keeps N children "CHILD i@wait@FIFO" running
 *
 * SIGTERM ends the children, then it exits 0.
 */
#define _GNU_SOURCE
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 64 };

struct service {
	char argument[4200];
	pid_t pid;
	int pidfd;
};

extern char **environ;
static char *child;
static int poller;
static sigset_t empty;

static void start(struct service *service)
{
	char *command[] = { child, service->argument, NULL };
	service->pid = vfork();
	if (service->pid == 0) {
		sigprocmask(SIG_SETMASK, &empty, NULL);
		execve(child, command, environ);
		_exit(127);
	}
	if (service->pid < 0)
		err(1, "vfork");
	service->pidfd = (int)syscall(SYS_pidfd_open, service->pid, 0);
	struct epoll_event interest = { .events = EPOLLIN, .data.ptr = service };
	if (service->pidfd < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, service->pidfd, &interest) < 0)
		err(1, "watching child %d", (int)service->pid);
}

static void reap(struct service *service)
{
	/* Closing is not enough: a child just started holds copies of our descriptors until its exec
	 * closes them, a little after vfork has returned; until then the dead one would stay ready. */
	epoll_ctl(poller, EPOLL_CTL_DEL, service->pidfd, NULL);
	waitpid(service->pid, NULL, 0);
	close(service->pidfd);
	service->pid = 0;
}

int main(int count, char **argument)
{
	if (count != 4)
		errx(2, "usage: floor N CHILD FIFO");
	size_t n = strtoul(argument[1], NULL, 10), running = n;
	child = argument[2];
	struct service *services = calloc(n, sizeof *services);
	if (!services)
		err(1, "services");

	sigset_t stops;
	sigemptyset(&empty);
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigprocmask(SIG_BLOCK, &stops, NULL);
	int signals = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
	poller = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event stop = { .events = EPOLLIN, .data.ptr = NULL };
	if (signals < 0 || poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, signals, &stop) < 0)
		err(1, "epoll");

	for (size_t i = 0; i < n; i++) {
		snprintf(services[i].argument, sizeof services[i].argument, "%zu@wait@%s", i, argument[3]);
		start(&services[i]);
	}

	int stopping = 0;
	while (!stopping || running) {
		struct epoll_event ready[BATCH];
		int found = epoll_wait(poller, ready, BATCH, -1);
		for (int i = 0; i < found; i++) {
			struct service *service = ready[i].data.ptr;
			if (service) {
				reap(service);
				if (stopping)
					running--;
				else
					start(service);
				continue;
			}
			struct signalfd_siginfo which;
			while (read(signals, &which, sizeof which) == sizeof which)
				stopping = 1;
			for (size_t k = 0; k < n; k++)
				if (services[k].pid)
					kill(services[k].pid, SIGTERM);
		}
	}
	return 0;
}
