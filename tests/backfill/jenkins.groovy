// As much of Jenkins as a Jenkinsfile of ours asks: its `sh` and its `junit` do what Jenkins' do; other words fail.
//
//     groovy jenkins.groovy FOLDER ...
//
// Runs the Jenkinsfile of each folder there, and prints what came of them as a list in JSON, the last line.
import groovy.json.JsonOutput
import org.codehaus.groovy.control.CompilerConfiguration

class Failed extends RuntimeException {
    Failed(String why) { super(why) }
}

abstract class Jenkins extends Script {
    File folder
    String result = 'SUCCESS'
    List<String> said = []
    List<String> ran = []
    Map<String, Integer> tests = [:]
    Map<String, String> variables = [:]

    Map runIn(File place) {
        folder = place
        run()
        [result: result, said: said, ran: ran, tests: tests]
    }

    def pipeline(Closure body) {
        try {
            body()
        } catch (Failed why) {
            result = 'FAILURE'
            said << why.message
        }
    }

    // what is set before anything runs
    def agent(Closure body) { body() }
    def label(String name) { }
    def triggers(Closure body) { body() }
    def cron(String when) { assert when ==~ /TZ=[\w\/]+\n(\S+ ){4}\S+/ }
    def options(Closure body) { body() }
    def disableConcurrentBuilds() { }
    def timeout(Map given) { assert given.keySet() == ['time', 'unit'] as Set }
    def buildDiscarder(Map rotator) { assert rotator }
    Map logRotator(Map given) { given }
    def environment(Closure body) {
        body.delegate = variables
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body()
    }

    // what runs
    def stages(Closure body) { body() }
    def stage(String name, Closure body) {
        ran << name
        body()
    }
    def steps(Closure body) { body() }
    def script(Closure body) { body() }

    def sh(Map given) {
        assert given.keySet() == ['script', 'returnStatus'] as Set && given.returnStatus
        def builder = new ProcessBuilder('sh', '-xe', '-c', given.script.toString()).inheritIO().directory(folder)
        builder.environment().putAll(variables)
        builder.start().waitFor()
    }

    def junit(Map given) {
        assert given.keySet() == ['testResults', 'skipMarkingBuildUnstable'] as Set
        def suite = new XmlSlurper().parse(new File(folder, given.testResults.toString()))
        assert suite.name() == 'testsuite'
        def cases = suite.testcase.list()
        if (!cases) {
            throw new Failed('No test report has a result')
        }
        assert cases.every { it.@name.text() && it.@classname.text() }
        tests = [
            passed: cases.count { !it.failure.size() && !it.error.size() && !it.skipped.size() },
            failed: cases.count { it.failure.size() || it.error.size() },
            skipped: cases.count { it.skipped.size() },
        ]
        if (tests.failed && !given.skipMarkingBuildUnstable) {
            unstable('tests failed')
        }
    }

    def unstable(String why) {
        result = 'UNSTABLE'
        said << why
    }

    def error(why) { throw new Failed(why.toString()) }
}

def configuration = new CompilerConfiguration(scriptBaseClass: Jenkins.name)
def came = args.collect {
    Jenkins build = (Jenkins) new GroovyShell(getClass().classLoader, configuration).parse(new File(it, 'Jenkinsfile'))
    build.runIn(new File(it))
}
println JsonOutput.toJson(came)
